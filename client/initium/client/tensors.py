"""Tensors out of the stream of leaves, one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from initium.client.stream import LeafStream
from initium.contract.leaves import Leaf
from initium.contract.plans import elements
from initium.contract.wording import suggestion
from initium.errors import RequestError, ServerError, Unsupported
from initium.v1.plan_pb2 import PlannedTensor
from initium_law.dtypes import DTYPES

Make = Callable[[NDArray[np.uint8], PlannedTensor], Any]
"""From the bytes of a tensor, which it may keep, to what holds its values."""


def maker(framework: str) -> Make:
    """What makes the tensors of a framework: `np` or `pt`, as safetensors calls them.

    Errors: RequestError for others; Unsupported where torch is not installed.
    """
    if framework == "np":
        return _numpy
    if framework != "pt":
        raise RequestError(f"framework is {framework!r}; {suggestion(framework, ('np', 'pt'), 'frameworks')}")
    try:
        import torch
    except ImportError as error:
        text = f"framework 'pt' needs torch, which is not installed here ({error}); install it, or take 'np'"
        raise Unsupported(text) from None

    def make(data: NDArray[np.uint8], tensor: PlannedTensor) -> torch.Tensor:
        dtype = DTYPES[tensor.dtype]
        # By way of integers of its size: from_numpy refuses the types of ml_dtypes.
        integers = torch.from_numpy(data.view(f"i{dtype.size}"))
        return integers.view(getattr(torch, dtype.torch)).reshape(tuple(tensor.shape))

    return make


def _numpy(data: NDArray[np.uint8], tensor: PlannedTensor) -> NDArray[Any]:
    return data.view(DTYPES[tensor.dtype].numpy).reshape(tuple(tensor.shape))


def tensors(stream: LeafStream, make: Make = _numpy) -> Iterator[tuple[str, Any]]:
    """Name and values of every tensor in file order. Holds one tensor and one leaf in memory.

    Errors: as iterating over `stream`, IntegrityError, Unsupported for a dtype that this client does not know.
    """
    order = sorted(stream.plan.tensors, key=lambda tensor: (tensor.file, tensor.offset, tensor.size))
    pending = iter(order)
    current = _next(pending)
    for leaf in stream.checked():
        while current is not None and current.take(leaf):
            yield current.tensor.name, make(current.data, current.tensor)
            current = _next(pending)
    while current is not None and current.tensor.size == 0:
        yield current.tensor.name, make(current.data, current.tensor)
        current = _next(pending)
    if current is not None:
        raise ServerError(f"the files end before the tensor {current.tensor.name}")


def _next(pending: Iterator[PlannedTensor]) -> _Assembly | None:
    tensor = next(pending, None)
    return None if tensor is None else _Assembly(tensor)


class _Assembly:
    """One tensor that is being put together."""

    def __init__(self, tensor: PlannedTensor) -> None:
        self.tensor = tensor
        if tensor.dtype not in DTYPES:
            raise Unsupported(f"{tensor.name} has the dtype {tensor.dtype}, new to this client; upgrade initium")
        if elements(tensor) * DTYPES[tensor.dtype].size != tensor.size:
            raise ServerError(f"{tensor.name}: {tensor.size} bytes do not make {list(tensor.shape)} {tensor.dtype}")
        self.data = np.empty(tensor.size, np.uint8)
        self._filled = 0

    def take(self, leaf: Leaf) -> bool:
        """Copies what `leaf` has of it; True when it is whole."""
        tensor = self.tensor
        if leaf.file < tensor.file:
            return False
        first = tensor.offset + self._filled - leaf.offset
        count = min(tensor.size - self._filled, len(leaf.data) - first)
        if leaf.file == tensor.file and first >= 0 and count > 0:
            self.data[self._filled : self._filled + count] = leaf.data[first : first + count]
            self._filled += count
        return self._filled == tensor.size
