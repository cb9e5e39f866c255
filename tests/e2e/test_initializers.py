"""What torch asks of its own initializers (test/test_nn.py, TestNNInit), asked of a server.

Moments and bounds, Kolmogorov-Smirnov, orthogonality, a Dirac kernel that preserves its input, counts of zeros: on
random shapes and arguments, with the fans computed here.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import scipy.stats
import torch

import initium
from tests.e2e.servers import ServerProcess

Values = npt.NDArray[np.float32]
LEAST_P = 1e-4


@pytest.fixture(scope="module")
def client(tcp_server: ServerProcess) -> Iterator[initium.Client]:
    with initium.connect(tcp_server.address) as connected:
        yield connected


def made(client: initium.Client, initializer: str, arguments: dict[str, Any], *shapes: tuple[int, ...]) -> list[Values]:
    """Tensors of these shapes that one initializer fills."""
    tensors = [{"name": f"t{i}", "shape": list(shape)} for i, shape in enumerate(shapes)]
    rules = [{"match": {"every": True}, initializer: arguments}]
    recipe = {"seed": 20, "architecture": {"tensors": {"tensors": tensors}}, "init": {"rules": rules}}
    values = dict(client.tensors(recipe))
    return [values[tensor["name"]] for tensor in tensors]


def shapes(rng: random.Random, dims: int, least: int = 10, most: int = 25) -> list[tuple[int, ...]]:
    """Three random shapes."""
    return [tuple(rng.randint(least, most) for _ in range(dims)) for _ in range(3)]


def follows(values: Values, distribution: str, *parameters: float) -> bool:
    """Kolmogorov-Smirnov."""
    return bool(scipy.stats.kstest(values.ravel(), distribution, parameters).pvalue > LEAST_P)


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    receptive = math.prod(shape[2:])
    return shape[1] * receptive, shape[0] * receptive


@pytest.mark.parametrize("dims", [1, 2, 4])
def test_uniform(client: initium.Client, dims: int) -> None:
    rng = random.Random(dims)
    a = rng.uniform(-3, 3)
    b = a + rng.uniform(1, 5)
    for values in made(client, "uniform", {"a": a, "b": b}, *shapes(rng, dims, 30, 50)):
        assert follows(values, "uniform", a, b - a)
        assert a <= values.min() <= values.max() <= b


@pytest.mark.parametrize("dims", [1, 2, 4])
def test_normal(client: initium.Client, dims: int) -> None:
    rng = random.Random(dims)
    mean, std = rng.uniform(-3, 3), rng.uniform(1, 5)
    for values in made(client, "normal", {"mean": mean, "std": std}, *shapes(rng, dims, 30, 50)):
        assert follows(values, "norm", mean, std)


@pytest.mark.parametrize("dims", [1, 2, 4])
def test_trunc_normal(client: initium.Client, dims: int) -> None:
    """Values at the bounds themselves would show as well: the bounds are cut off, not piled up at."""
    rng = random.Random(dims)
    mean, std = rng.uniform(-3, 3), rng.uniform(0.01, 1)
    a, b = rng.uniform(mean - 2 * std, mean), rng.uniform(mean, mean + 2 * std)
    arguments = {"mean": mean, "std": std, "a": a, "b": b}
    for values in made(client, "trunc_normal", arguments, *shapes(rng, dims, 30, 50)):
        assert follows(values, "truncnorm", (a - mean) / std, (b - mean) / std, mean, std)
        assert a <= values.min() <= values.max() <= b


@pytest.mark.parametrize("dims", [1, 2, 5])
def test_constant_ones_zeros(client: initium.Client, dims: int) -> None:
    rng = random.Random(dims)
    for initializer, arguments, value in (("constant", {"val": 1.25}, 1.25), ("ones", {}, 1.0), ("zeros", {}, 0.0)):
        for values in made(client, initializer, arguments, *shapes(rng, dims, 1, 5)):
            assert (values == value).all()


def test_eye(client: initium.Client) -> None:
    for values in made(client, "eye", {}, (3, 3), (2, 5), (7, 1)):
        assert (values == np.eye(*values.shape)).all()


@pytest.mark.parametrize("dims", [3, 4, 5])
@pytest.mark.parametrize("groups", [1, 2, 3])
def test_dirac_preserves_its_input(client: initium.Client, dims: int, groups: int) -> None:
    """A convolution with such a kernel gives every channel back, shifted by nothing."""
    convolve: Any = (torch.conv1d, torch.conv2d, torch.conv3d)[dims - 3]
    (values,) = made(client, "dirac", {"groups": groups}, (4 * groups, 4, *(3,) * (dims - 2)))
    data = torch.from_numpy(
        np.random.default_rng(0).normal(size=(1, 4 * groups, *(6,) * (dims - 2))).astype(np.float32)
    )
    assert torch.equal(convolve(data, torch.from_numpy(values), padding=1, groups=groups), data)


@pytest.mark.parametrize("dims", [2, 4])
@pytest.mark.parametrize("gain", [0.5, 2.0])
def test_xavier(client: initium.Client, dims: int, gain: float) -> None:
    rng = random.Random(dims)
    wanted = shapes(rng, dims)
    for initializer, distribution in (("xavier_uniform", "uniform"), ("xavier_normal", "norm")):
        for shape, values in zip(wanted, made(client, initializer, {"gain": gain}, *wanted), strict=True):
            std = gain * math.sqrt(2 / sum(fans(shape)))
            bound = math.sqrt(3) * std
            assert follows(values, distribution, *((-bound, 2 * bound) if distribution == "uniform" else (0, std)))


@pytest.mark.parametrize("dims", [2, 4])
@pytest.mark.parametrize("mode", ["fan_in", "fan_out"])
@pytest.mark.parametrize("a", [0.0, 0.1])
def test_kaiming(client: initium.Client, dims: int, mode: str, a: float) -> None:
    rng = random.Random(dims)
    wanted = shapes(rng, dims)
    for initializer, distribution in (("kaiming_uniform", "uniform"), ("kaiming_normal", "norm")):
        for shape, values in zip(wanted, made(client, initializer, {"mode": mode, "a": a}, *wanted), strict=True):
            std = math.sqrt(2 / (1 + a * a)) / math.sqrt(fans(shape)[mode == "fan_out"])
            bound = math.sqrt(3) * std
            assert follows(values, distribution, *((-bound, 2 * bound) if distribution == "uniform" else (0, std)))


@pytest.mark.parametrize("gain", [1.0, -3.0])
def test_orthogonal(client: initium.Client, gain: float) -> None:
    """Rows or columns, whichever are fewer, are orthogonal and as long as the gain; other axes count as columns."""
    for values in made(client, "orthogonal", {"gain": gain}, (3, 4), (4, 3), (40, 40), (3, 4, 5), (20, 2, 3)):
        matrix = values.reshape(len(values), -1).astype(np.float64)
        short = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
        assert np.allclose(short @ short.T, gain**2 * np.eye(len(short)), atol=1e-5)


@pytest.mark.parametrize("sparsity", [0.1, 0.25, 1.0])
def test_sparse(client: initium.Client, sparsity: float) -> None:
    """So many zeros in every column, in rows of their own, and a normal of this width elsewhere."""
    for values in made(client, "sparse", {"sparsity": sparsity, "std": 0.2}, (10, 40), (77, 60), (1, 3)):
        assert ((values == 0).sum(axis=0) == math.ceil(sparsity * len(values))).all()
        kept = values[values != 0]
        assert len(kept) < 100 or follows(kept, "norm", 0, 0.2)
