"""Planning is a function: what it was asked before leaves no trace."""

from __future__ import annotations

import pytest

from initium.errors import RecipeError
from initium_server.planning import Inventory
from tests.planning.inventories import tensor
from tests.planning.recipes import planned

RULES = {"rules": [{"match": {"path": ["*.w"]}, "dirac": {}}]}


def test_a_failure_is_forgotten() -> None:
    good, bad = Inventory((tensor("a.w", (2, 2, 2)),)), Inventory((tensor("b.w", (2,)),))
    before = planned(good, init=RULES)
    for _ in range(2):
        with pytest.raises(RecipeError) as caught:
            planned(bad, init=RULES)
        assert "b.w" in str(caught.value)
    assert planned(good, init=RULES) == before
