from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rpc.calls import Serving, serving


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Serving]:
    """A service with the usual settings."""
    with serving(tmp_path) as result:
        yield result
