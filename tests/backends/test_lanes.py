"""Lanes on the CPU, to them a device like any other: queues, cuts, failures; and on a stand-in for a GPU's streams."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch

from initium_law.backends import lanes, numba_kernel, torch_ops
from initium_law.backends.lanes import Lane, Lanes
from initium_law.dtypes import Bytes
from initium_law.grammar import Normal
from initium_law.maps.random_fills import Draw, resolve

from .conformance import IDENTITY

PIECE = 1 << 12
FULL = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 MiB.\nSee documentation")


def normal(dtype: str) -> Draw:
    made = resolve(Normal(0.0, 1.0), IDENTITY, dtype)
    assert isinstance(made, Draw)
    return made


def expected(draw: Draw, start: int, size: int) -> Bytes:
    out = np.zeros(size, np.uint8)
    numba_kernel.draw(draw, start, out)
    return out


def failing(error: Exception, calls: set[int]) -> Callable[[Draw, int, torch.Tensor], None]:
    """`torch_ops.fill`, which leaves rubbish and fails at some of its calls."""
    count = iter(range(10**6))

    def fill(draw: Draw, counter: int, out: torch.Tensor) -> None:
        torch_ops.fill(draw, counter, out)
        if next(count) in calls:
            out.fill_(0x55)
            raise error

    return fill


@pytest.mark.parametrize("dtype", ["F32", "F64", "F8_E4M3"])
@pytest.mark.parametrize("start", [0, 3, 2**34 - 1])
@pytest.mark.parametrize("elements", [1, 511, 3 * PIECE + 17])
def test_long_ranges_are_cut(dtype: str, start: int, elements: int) -> None:
    """Promise 6 (flat memory): ranges longer than a lane's buffer, and shorter ones, at any place."""
    draw = normal(dtype)
    want = expected(draw, start, elements * {"F32": 4, "F64": 8, "F8_E4M3": 1}[dtype])
    got = np.full_like(want, 0xAA)
    Lanes(["cpu"], torch_ops.fill, lanes=1, piece=PIECE).draw(draw, start, got)
    assert np.array_equal(got, want)


def test_many_threads_share_the_lanes_of_all_devices() -> None:
    """Promise 1 (pure): eight threads on four lanes; each lane serves one thread at a time, and every lane serves."""
    draw, size = normal("F32"), 5000
    inside, used, overlaps = set[int](), set[int](), list[int]()
    at_once = threading.Barrier(4)
    turns = iter(range(10**6))

    def fill(draw: Draw, counter: int, out: torch.Tensor) -> None:
        lane = out.data_ptr()
        if lane in inside:
            overlaps.append(lane)
        inside.add(lane)
        used.add(lane)
        if next(turns) < 4:
            at_once.wait(timeout=60)  # four lanes are in use at the same time, or this fails
        torch_ops.fill(draw, counter, out)
        inside.discard(lane)

    shared = Lanes(["cpu", "cpu"], fill, lanes=2, piece=PIECE)
    want = expected(draw, 0, 64 * size)
    got = np.zeros_like(want)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda k: shared.draw(draw, k * size // 4, got[k * size : (k + 1) * size]), range(64)))
    assert np.array_equal(got, want)
    assert len(used) == 4
    assert not overlaps


@pytest.mark.parametrize("error", [FULL, RuntimeError("CUDA error: out of memory"), MemoryError()])
def test_a_full_device_leaves_the_range_to_the_cpu(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """Promises 1 and 4: in the middle of a range; one warning, the same bytes, and the device is tried again."""
    draw = normal("BF16")
    want = expected(draw, 7, 6 * PIECE)
    got = np.zeros_like(want)
    with caplog.at_level(logging.WARNING):
        Lanes(["cpu"], failing(error, {1, 3, 4}), lanes=2, piece=PIECE).draw(draw, 7, got)
    assert np.array_equal(got, want)
    (record,) = caplog.records
    assert "device cpu has no memory left" in record.getMessage()
    assert "documentation" not in record.getMessage()


def test_a_lane_without_buffers_leaves_the_range_to_the_cpu(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Promises 1 and 4: the buffers are made at first use, which may fail, and are then tried again."""
    draw = normal("F32")
    want = expected(draw, 0, 2 * PIECE)
    device = Lanes(["cpu"], torch_ops.fill, lanes=1, piece=PIECE)

    def full(*args: Any, **options: Any) -> torch.Tensor:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory")

    with monkeypatch.context() as patched, caplog.at_level(logging.WARNING):
        patched.setattr(lanes.torch, "empty", full)
        got = np.zeros_like(want)
        device.draw(draw, 0, got)
    assert np.array_equal(got, want)
    assert len(caplog.records) == 1
    got = np.zeros_like(want)
    device.draw(draw, 0, got)
    assert np.array_equal(got, want)


def test_other_failures_are_named() -> None:
    """Promise 4 (nothing silent): which device, what it said, what to do; and the lane goes back into the queue."""
    draw = normal("F32")
    error = RuntimeError("CUDA error: an illegal memory access was encountered\nCUDA kernel errors might be reported")
    device = Lanes(["cpu"], failing(error, {0}), lanes=1, piece=PIECE)
    got = np.zeros(64, np.uint8)
    with pytest.raises(RuntimeError, match=r"device cpu failed .*illegal memory access was encountered\); restart"):
        device.draw(draw, 0, got)
    assert not got.any()
    device.draw(draw, 0, got)
    assert np.array_equal(got, expected(draw, 0, 64))


class Device:
    """Stands for `torch.cuda`: a stream whose copies arrive when somebody waits for it."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def Stream(self, device: torch.device) -> Device:
        return self

    def stream(self, stream: Device) -> Device:
        return self

    def __enter__(self) -> None:
        self.events.append("enter")

    def __exit__(self, *error: object) -> None:
        self.events.append("exit")

    def synchronize(self) -> None:
        self.events.append("wait")


def test_streams_and_pinned_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise 7 (faster): kernel and copy in the lane's stream, a wait for that stream only, through pinned memory."""
    device, empty, pinned = Device(), torch.empty, list[bool]()

    def unpinned(*size: int, pin_memory: bool = False, **options: Any) -> torch.Tensor:
        pinned.append(pin_memory)
        return empty(*size, **{**options, "device": "cpu"})

    def fill(draw: Draw, counter: int, out: torch.Tensor) -> None:
        device.events.append("kernel")
        torch_ops.fill(draw, counter, out)

    monkeypatch.setattr(lanes.torch, "get_device_module", lambda name: device)
    monkeypatch.setattr(lanes.torch, "empty", unpinned)
    draw, lane = normal("F32"), Lane("cuda:1", fill, PIECE)
    for start in (3, 1024):
        got = np.zeros(400, np.uint8)
        lane.draw(draw, start, got)
        assert np.array_equal(got, expected(draw, start, 400))
    assert pinned == [False, True]
    assert device.events == ["enter", "kernel", "exit", "wait"] * 2
