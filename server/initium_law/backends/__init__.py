"""Backends of the law, by device: which one draws, made and checked before it serves.

Every backend gives the same bytes (see `maps.random_fills.Backend`). To add one, write a function that fills a buffer
on its device as `torch_ops.fill` does, and add a line to BACKENDS. torch and Triton are imported only when asked for.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Mapping, Sequence

from initium_law.backends import numba_kernel
from initium_law.backends.devices import imported, named_devices
from initium_law.backends.self_check import check
from initium_law.maps.random_fills import Backend

log = logging.getLogger(__name__)


def backend_for(device: str, backend: str = "auto") -> tuple[str, Backend]:
    """What draws on `device`, by name: `cpu`, `cuda` (the first GPU), `cuda:1` or a list such as `cuda:0,cuda:1`.

    `auto` is numba on the CPU, and elsewhere Triton if it works here, else torch. Whatever is not numba has drawn some
    thousand elements as numba draws them when this returns. OSError, with what there is and what to do, if it cannot.
    """
    devices = named_devices(device)
    kind = devices[0].partition(":")[0]
    if backend != "auto":
        if backend not in BACKENDS:
            raise OSError(f"there is no backend {backend!r}; use one of auto, {', '.join(BACKENDS)}")
        return backend, BACKENDS[backend](devices)
    *better, last = _AUTO.get(kind, ("torch",))
    for name in better:
        try:
            return name, BACKENDS[name](devices)
        except OSError as error:
            log.warning("backend %s does not serve device %s (%s); using %s", name, device, error, last)
    return last, BACKENDS[last](devices)


def _numba(devices: Sequence[str]) -> Backend:
    if list(devices) != ["cpu"]:
        raise OSError(f"backend numba draws on the CPU, not on {', '.join(devices)}; use --device cpu, or backend auto")
    return numba_kernel.draw


def _torch(devices: Sequence[str]) -> Backend:
    imported("torch", "backend torch")
    return _on_lanes(devices, "torch_ops")


def _triton(devices: Sequence[str]) -> Backend:
    imported("triton", "backend triton")
    kernels = imported("initium_law.backends.triton_kernels", "backend triton")
    if not kernels.INTERPRETED and not devices[0].startswith("cuda"):
        raise OSError(f"backend triton draws on CUDA and ROCm devices, not on {', '.join(devices)}; use backend auto")
    return _on_lanes(devices, "triton_kernels")


def _on_lanes(devices: Sequence[str], module: str) -> Backend:
    lanes = importlib.import_module("initium_law.backends.lanes")  # It imports torch.
    fill = importlib.import_module(f"initium_law.backends.{module}").fill
    try:
        for device in devices:
            # Not through Lanes, which would fall back to what this compares with.
            check(lanes.Lane(device, fill, piece=1 << 16).draw, device)
        draw: Backend = lanes.Lanes(devices, fill).draw
        return draw
    except OSError:
        raise
    except Exception as error:
        text = f"{type(error).__name__}: {lanes.first_line(error)}"
        raise OSError(f"{', '.join(devices)} cannot draw with {module} here ({text}); use --device cpu") from error


BACKENDS: Mapping[str, Callable[[Sequence[str]], Backend]] = {"numba": _numba, "torch": _torch, "triton": _triton}
"""Backend name -> what makes it for some devices of one kind. A new backend is one line here."""

_AUTO: Mapping[str, Sequence[str]] = {"cpu": ("numba",), "cuda": ("triton", "torch")}
"""Device kind -> backends to try, the best first; torch for any other."""
