"""How devices are used: a queue of lanes, each a stream with a buffer on the device and one in pinned host memory.

A thread that draws takes the lane that has waited longest, whichever device it belongs to; the kernel and the copy to
the host go into the lane's stream, and the thread waits for that stream alone. So the copies of some lanes run beside
the kernels of others, several devices share the work, and what a device holds is bounded: LANES times PIECE bytes (and
what `torch_ops` needs for a block, where that draws).
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from initium_law.backends import numba_kernel
from initium_law.dtypes import ITEM_SIZE, Bytes
from initium_law.maps.random_fills import Draw
from initium_law.maps.render import RENDERINGS

log = logging.getLogger(__name__)

PIECE = 4 << 20
"""Bytes that a lane makes at a time; a longer range is cut."""
LANES = 4
"""Lanes of each device: one computes, one copies, and the others are being launched or emptied."""
_MARGIN = 64
"""Room for the elements of the first and last counter that nobody asked for: six of eight bytes."""

DeviceFill = Callable[[Draw, int, torch.Tensor], None]
"""`torch_ops.fill` or `triton_kernels.fill`: whole counters into a buffer on the device, in the current stream."""

_SIZE = {code: ITEM_SIZE[dtype] for dtype, code in RENDERINGS.items()}


@dataclass(frozen=True, slots=True)
class _Buffers:
    """A lane's memory; on the CPU both are one."""

    device: torch.Tensor
    host: torch.Tensor


class Lane:
    """A stream of one device and its buffers, which are made when they are first needed. For one thread at a time."""

    def __init__(self, device: str, fill: DeviceFill, piece: int = PIECE) -> None:
        self.device = torch.device(device)
        self.piece = piece
        self._fill = fill
        self._buffers: _Buffers | None = None
        self._module: Any = None if self.device.type == "cpu" else torch.get_device_module(self.device)
        self._stream: Any = self._module.Stream(device=self.device) if self._module else None

    def draw(self, draw: Draw, start: int, out: Bytes) -> None:
        """A backend for at most `piece` bytes. Raises whatever the device raises; `out` is then as it was."""
        size = _SIZE[draw.code]
        counter, skip = divmod(start, 4)
        low = skip * size
        high = low + len(out)
        whole = -(-high // (4 * size)) * 4 * size
        with self._in_stream():
            buffers = self._buffers or self._allocate()
            self._fill(draw, counter, buffers.device[:whole])
            if self._stream is not None:
                buffers.host[low:high].copy_(buffers.device[low:high], non_blocking=True)
        if self._stream is not None:
            self._stream.synchronize()
        np.copyto(out, buffers.host[low:high].numpy())

    def _in_stream(self) -> contextlib.AbstractContextManager[Any]:
        """Makes the stream, and with it its device, the current one of this thread."""
        return self._module.stream(self._stream) if self._module else contextlib.nullcontext()

    def _allocate(self) -> _Buffers:
        size = self.piece + _MARGIN
        device = torch.empty(size, dtype=torch.uint8, device=self.device)
        host = device if self._stream is None else torch.empty(size, dtype=torch.uint8, pin_memory=True)
        self._buffers = _Buffers(device, host)
        return self._buffers


class Lanes:
    """The lanes of all devices in one queue. Its `draw` is a backend for any number of threads."""

    def __init__(self, devices: Sequence[str], fill: DeviceFill, lanes: int = LANES, piece: int = PIECE) -> None:
        self._free: queue.SimpleQueue[Lane] = queue.SimpleQueue()
        self._piece = piece
        self._warned = False
        self._warning = threading.Lock()
        for _ in range(lanes):
            for device in devices:
                self._free.put(Lane(device, fill, piece))

    def draw(self, draw: Draw, start: int, out: Bytes) -> None:
        """The backend. Where a device has no memory left the CPU draws; any other failure is a RuntimeError."""
        size = _SIZE[draw.code]
        for low in range(0, len(out), self._piece):
            part, first = out[low : low + self._piece], start + low // size
            if not self._drawn(draw, first, part):
                numba_kernel.draw(draw, first, part)

    def _drawn(self, draw: Draw, start: int, out: Bytes) -> bool:
        """Whether there was memory for it."""
        lane = self._free.get()
        try:
            lane.draw(draw, start, out)
        except Exception as error:
            if not is_out_of_memory(error):
                raise RuntimeError(
                    f"device {lane.device} failed while it drew ({type(error).__name__}: {first_line(error)}); "
                    "restart the server, with --device cpu if this comes again"
                ) from error
            self._warn(lane.device, error)
            return False
        finally:
            self._free.put(lane)
        return True

    def _warn(self, device: torch.device, error: Exception) -> None:
        with self._warning:
            warned, self._warned = self._warned, True
        if not warned:
            log.warning(
                "device %s has no memory left (%s); the CPU draws whenever that happens, the same bytes, only slower",
                device,
                first_line(error),
            )


def is_out_of_memory(error: Exception) -> bool:
    """Whether memory was all that lacked; pinned and host memory, and Triton, have no exception of their own for it."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)


def first_line(error: BaseException) -> str:
    """What an error says, without torch's pages of advice."""
    return str(error).strip().partition("\n")[0]
