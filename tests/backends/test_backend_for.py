"""Which backend a device gets, and which devices are refused."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

import numpy as np
import pytest

from initium_law import backends
from initium_law.backends import backend_for, devices, numba_kernel, self_check, torch_ops
from initium_law.backends.lanes import Lane
from initium_law.dtypes import Bytes
from initium_law.maps.random_fills import Backend, Draw

TWO_GPUS = ["cpu", "cuda:0", "cuda:1"]


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_here", lambda: TWO_GPUS)


def test_the_cpu_is_numba_s() -> None:
    """Promise 10 (light): the usual server needs nothing of this package."""
    assert backend_for("cpu") == ("numba", numba_kernel.draw)
    assert backend_for("cpu", "numba") == ("numba", numba_kernel.draw)


def test_torch_draws_on_the_cpu_too() -> None:
    """Promise 1 (pure): every backend passes its own check and gives the same bytes."""
    _, draw = backend_for("cpu", "torch")
    self_check.check(draw, "cpu")


@pytest.mark.parametrize(
    ("device", "backend", "message"),
    [
        ("cpu", "cupy", "there is no backend 'cupy'; use one of auto, numba, torch, triton"),
        ("cuda:2", "auto", "device cuda:2 is not there; there are cpu, cuda:0, cuda:1"),
        ("cuda:0,cuda:7", "triton", "device cuda:7 is not there"),
        ("cuda:0,cpu", "auto", "mixes cpu and cuda; name devices of one kind"),
        ("mps", "torch", "mps cannot draw: it has no float64"),
        ("meta", "torch", "device meta:0 is not there"),
        ("", "auto", "is not there"),
        ("cuda", "numba", "backend numba draws on the CPU, not on cuda:0"),
        ("cpu", "triton", "backend triton draws on CUDA and ROCm devices, not on cpu"),
    ],
)
@pytest.mark.usefixtures("two_gpus")
def test_what_is_not_there_is_named(device: str, backend: str, message: str) -> None:
    """Promise 4 (nothing silent): what is wrong, what there is, what to do."""
    if backend == "triton":
        pytest.importorskip("triton", reason="TRITON IS NOT INSTALLED: it is made for Linux on x86-64 only")
    with pytest.raises(OSError, match=message):
        backend_for(device, backend)


def test_a_machine_without_gpus_says_so() -> None:
    """Promise 4 (nothing silent): asked of torch itself."""
    import torch

    if torch.accelerator.is_available():
        pytest.skip("this machine has a GPU, so it cannot show what one without says")
    with pytest.raises(OSError, match="device cuda:0 is not there; there are cpu"):
        backend_for("cuda")


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise 4 (nothing silent): a server without torch cannot use a GPU."""
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(OSError, match="needs torch, which cannot be imported here"):
        backend_for("cuda")


@pytest.mark.parametrize(
    ("text", "devices"),
    [
        ("cuda", ["cuda:0"]),
        ("cuda:1", ["cuda:1"]),
        ("cuda:0, cuda:1", ["cuda:0", "cuda:1"]),
        ("cuda,cuda:0", ["cuda:0"]),
    ],
)
@pytest.mark.usefixtures("two_gpus")
def test_auto_prefers_triton_and_tells_why_not(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, text: str, devices: Sequence[str]
) -> None:
    """Promise 4 (nothing silent): torch takes over where Triton does not work, with a warning."""
    asked = list[tuple[str, list[str]]]()

    def triton(devices: Sequence[str]) -> Backend:
        asked.append(("triton", list(devices)))
        raise OSError("no C compiler")

    def torch(devices: Sequence[str]) -> Backend:
        asked.append(("torch", list(devices)))
        return numba_kernel.draw

    monkeypatch.setattr(backends, "BACKENDS", {"triton": triton, "torch": torch})
    with caplog.at_level(logging.WARNING):
        backend_for(text)
    assert asked == [("triton", devices), ("torch", devices)]
    assert "no C compiler" in caplog.text


@pytest.mark.parametrize(
    ("constant", "name"),
    [("P3", "normal"), ("N2", "normal"), ("D4", "normal"), ("M6", "beyond the mean"), ("E1", "beyond the mean")],
)
def test_a_wrong_device_is_refused(monkeypatch: pytest.MonkeyPatch, constant: str, name: str) -> None:
    """Promise 1 (pure): one unit in the last place of one coefficient is found; device, map and element are named."""
    right = np.float32(getattr(torch_ops, constant))
    monkeypatch.setattr(torch_ops, constant, float(np.nextafter(right, np.float32(np.inf))))
    with pytest.raises(OSError, match=rf"device cpu does not compute .* {name}.* as F32 differ, .*; use --device cpu"):
        backend_for("cpu", "torch")


def test_flushing_is_found() -> None:
    """Promise 1 (pure): a device that computes well but has no subnormal numbers is refused."""

    def flushing(draw: Draw, start: int, out: Bytes) -> None:
        numba_kernel.draw(draw, start, out)
        if draw.code == 0:
            bits = out.view(np.uint32)
            bits[(bits & 0x7F800000) == 0] &= 0x80000000

    with pytest.raises(OSError, match="subnormal values as F32"):
        self_check.check(flushing, "cuda:0")


def test_a_device_that_cannot_start_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise 4 (nothing silent): whatever a device raises at its first draw is told in one line."""

    def broken(self: Lane, draw: Draw, start: int, out: Bytes) -> None:
        raise RuntimeError("Failed to find C compiler.\nPlease specify via CC")

    monkeypatch.setattr(Lane, "draw", broken)
    with pytest.raises(OSError, match=r"cpu cannot draw with torch_ops here \(RuntimeError: Failed to find C compiler"):
        backend_for("cpu", "torch")
