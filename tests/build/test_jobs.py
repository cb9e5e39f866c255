"""What comes back from a worker is data, never code."""

from __future__ import annotations

import os
import pickle

import pytest

from initium_server.build.jobs import inventory_job, read_inventory
from tests.build.compare import library


class _Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("true",)


def test_an_inventory_survives_the_way() -> None:
    declared = library("torchvision", "squeezenet1_0")
    from initium_server.build import build_inventory

    assert read_inventory(inventory_job(declared.SerializeToString())) == build_inventory(declared)


def test_anything_else_is_refused() -> None:
    with pytest.raises(pickle.UnpicklingError, match="no class of an inventory"):
        read_inventory(pickle.dumps(_Evil()))
    with pytest.raises(pickle.UnpicklingError, match="expected an Inventory, got dict"):
        read_inventory(pickle.dumps({}))
