"""What draws, and what is made whole, over the wire."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import initium
from initium.errors import InitiumError
from initium.plan.limits import Limits
from initium_server.rpc.server import Server, Settings

RECIPE: dict[str, Any] = {
    "architecture": {
        "tensors": {
            "tensors": [
                {"name": "a", "shape": [96, 64]},
                {"name": "b", "shape": [64, 96]},
                {"name": "c", "shape": [32, 16, 3, 3]},
                {"name": "d", "shape": [100, 50]},
                {"name": "e", "shape": [3000]},
            ]
        }
    },
    "seed": 9,
    "init": {
        "rules": [
            {"match": {"path": ["a"]}, "orthogonal": {"gain": 2}},
            {"match": {"path": ["b"]}, "dtype": "BF16", "orthogonal": {}},
            {"match": {"path": ["c"]}, "delta_orthogonal": {}},
            {"match": {"path": ["d"]}, "sparse": {"sparsity": 0.25}},
            {"match": {"path": ["e"]}, "dtype": "F8_E4M3", "corrected_trunc_normal": {"std": 0.5}},
        ]
    },
}


@contextmanager
def serving(**changes: Any) -> Iterator[initium.Client]:
    server = Server(dataclasses.replace(Settings(listen="127.0.0.1:0", threads=2, warm=False), **changes))
    server.start()
    try:
        with initium.connect(server.address) as client:
            yield client
    finally:
        server.stop(0)


def generated(client: initium.Client, out: Path) -> bytes:
    client.generate(RECIPE, out)
    return (out / "model.safetensors").read_bytes()


def test_another_backend_gives_the_same_bytes(client: initium.Client, tmp_path: Path) -> None:
    """Promise 1 (pure): a server that draws with torch operations, and says so."""
    expected = generated(client, tmp_path / "numba")
    with serving(backend="torch") as other:
        assert other.capabilities().backend == "torch"
        assert generated(other, tmp_path / "torch") == expected


def test_whole_tensors_are_what_they_should_be(client: initium.Client) -> None:
    """From the recipe to the tensors: orthogonal, delta-orthogonal, sparse, F8."""
    found = {name: np.asarray(array).astype(np.float64) for name, array in client.tensors(RECIPE)}
    np.testing.assert_allclose(found["a"].T @ found["a"], 4 * np.eye(64), atol=1e-5)
    np.testing.assert_allclose(found["b"] @ found["b"].T, np.eye(64), atol=4e-2)
    centre = found["c"][:, :, 1, 1]
    np.testing.assert_allclose(centre.T @ centre, np.eye(16), atol=1e-5)
    assert np.count_nonzero(found["c"]) == np.count_nonzero(centre)
    np.testing.assert_array_equal((found["d"] == 0).sum(axis=0), 25)
    assert abs(found["e"].std() - 0.5) < 0.03


def test_a_tensor_too_large_to_be_made_whole_is_refused(tmp_path: Path) -> None:
    """Promise 5 (safe to expose): told when the recipe is resolved, with the tensor and the limit."""
    with serving(limits=Limits(whole_elements=6000)) as client:
        assert client.capabilities().limits.whole_elements == 6000
        with pytest.raises(InitiumError, match=r"a: Orthogonal needs its whole tensor.*up to 6,000") as caught:
            client.generate(RECIPE, tmp_path / "out")
        assert caught.value.reason == "TOO_LARGE"
