"""Tensors out of the stream of leaves, one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from initium.client.stream import LeafStream
from initium.contract.leaves import Leaf
from initium.contract.plans import elements
from initium.errors import ServerError, Unsupported
from initium.v1.plan_pb2 import PlannedTensor
from initium_law.dtypes import DTYPES


def tensors(stream: LeafStream) -> Iterator[tuple[str, NDArray[Any]]]:
    """Name and values of every tensor in file order. Holds one tensor and one leaf in memory.

    Errors: as iterating over `stream`, IntegrityError, Unsupported for a dtype that this client does not know.
    """
    order = sorted(stream.plan.tensors, key=lambda tensor: (tensor.file, tensor.offset, tensor.size))
    pending = iter(order)
    current = _next(pending)
    for leaf in stream.checked():
        while current is not None and current.take(leaf):
            yield current.name, current.array()
            current = _next(pending)
    while current is not None and current.tensor.size == 0:
        yield current.name, current.array()
        current = _next(pending)
    if current is not None:
        raise ServerError(f"the files end before the tensor {current.name}")


def _next(pending: Iterator[PlannedTensor]) -> _Assembly | None:
    tensor = next(pending, None)
    return None if tensor is None else _Assembly(tensor)


class _Assembly:
    """One tensor that is being put together."""

    def __init__(self, tensor: PlannedTensor) -> None:
        self.tensor = tensor
        self.name = tensor.name
        if tensor.dtype not in DTYPES:
            raise Unsupported(f"{tensor.name} has the dtype {tensor.dtype}, new to this client; upgrade initium")
        self._dtype = DTYPES[tensor.dtype].numpy
        if elements(tensor) * self._dtype.itemsize != tensor.size:
            raise ServerError(f"{tensor.name}: {tensor.size} bytes do not make {list(tensor.shape)} {tensor.dtype}")
        self._bytes = np.empty(tensor.size, np.uint8)
        self._filled = 0

    def take(self, leaf: Leaf) -> bool:
        """Copies what `leaf` has of it; True when it is whole."""
        tensor = self.tensor
        if leaf.file < tensor.file:
            return False
        first = tensor.offset + self._filled - leaf.offset
        count = min(tensor.size - self._filled, len(leaf.data) - first)
        if leaf.file == tensor.file and first >= 0 and count > 0:
            self._bytes[self._filled : self._filled + count] = leaf.data[first : first + count]
            self._filled += count
        return self._filled == tensor.size

    def array(self) -> NDArray[Any]:
        return self._bytes.view(self._dtype).reshape(tuple(self.tensor.shape))
