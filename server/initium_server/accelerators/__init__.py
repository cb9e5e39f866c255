"""Backends of the law, by device: which one draws, made and checked before it serves.

Every backend gives the same bytes (see `law.random_fills.Backend`). To add one, write a function that fills a buffer on
its device as `torch_ops.fill` does, and add a line to BACKENDS. torch and Triton are imported only when asked for.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from initium_server.accelerators.self_check import check
from initium_server.law import kernel
from initium_server.law.random_fills import Backend

log = logging.getLogger(__name__)

_REFUSED = {"mps": "it has no float64, and its arithmetic is not IEEE 754's"}
"""Devices that torch has and the law cannot use, and why."""


def backend_for(device: str, backend: str = "auto") -> tuple[str, Backend]:
    """What draws on `device`, by name: `cpu`, `cuda` (the first GPU), `cuda:1` or a list such as `cuda:0,cuda:1`.

    `auto` is numba on the CPU, and elsewhere Triton if it works here, else torch. Whatever is not numba has drawn some
    thousand elements as numba draws them when this returns. OSError, with what there is and what to do, if it cannot.
    """
    devices = _devices(device)
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


def _devices(text: str) -> list[str]:
    """The devices of a list, each of them here and all of one kind."""
    names = list(dict.fromkeys(part.strip() for part in text.split(",")))
    if names == ["cpu"]:
        return names
    kinds = {name.partition(":")[0] for name in names}
    if len(kinds) != 1:
        raise OSError(f"device {text!r} mixes {' and '.join(sorted(kinds))}; name devices of one kind")
    (kind,) = kinds
    if kind in _REFUSED:
        raise OSError(f"device {kind} cannot draw: {_REFUSED[kind]}; use --device cpu")
    here = _here()
    names = [f"{kind}:0" if name == kind else name for name in names]
    for name in names:
        if name not in here:
            raise OSError(f"device {name} is not there; there are {', '.join(here)}")
    return list(dict.fromkeys(names))


def _here() -> list[str]:
    """Every device that could draw."""
    torch = _imported("torch", "a device other than cpu")
    accelerator = torch.accelerator.current_accelerator()
    if accelerator is None or accelerator.type in _REFUSED:
        return ["cpu"]
    return ["cpu", *(f"{accelerator.type}:{k}" for k in range(torch.accelerator.device_count()))]


def _imported(module: str, who: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise OSError(f"{who} needs {module}, which cannot be imported here ({error}); use --device cpu") from error


def _numba(devices: Sequence[str]) -> Backend:
    if list(devices) != ["cpu"]:
        raise OSError(f"backend numba draws on the CPU, not on {', '.join(devices)}; use --device cpu, or backend auto")
    return kernel.draw


def _torch(devices: Sequence[str]) -> Backend:
    _imported("torch", "backend torch")
    return _on_lanes(devices, "torch_ops")


def _triton(devices: Sequence[str]) -> Backend:
    _imported("triton", "backend triton")
    kernels = _imported("initium_server.accelerators.triton_kernels", "backend triton")
    if not kernels.INTERPRETED and not devices[0].startswith("cuda"):
        raise OSError(f"backend triton draws on CUDA and ROCm devices, not on {', '.join(devices)}; use backend auto")
    return _on_lanes(devices, "triton_kernels")


def _on_lanes(devices: Sequence[str], module: str) -> Backend:
    from initium_server.accelerators.lanes import Lane, Lanes, first_line

    fill = importlib.import_module(f"initium_server.accelerators.{module}").fill
    try:
        for device in devices:
            # Not through Lanes, which would fall back to what this compares with.
            check(Lane(device, fill, piece=1 << 16).draw, device)
        return Lanes(devices, fill).draw
    except OSError:
        raise
    except Exception as error:
        text = f"{type(error).__name__}: {first_line(error)}"
        raise OSError(f"{', '.join(devices)} cannot draw with {module} here ({text}); use --device cpu") from error


BACKENDS: Mapping[str, Callable[[Sequence[str]], Backend]] = {"numba": _numba, "torch": _torch, "triton": _triton}
"""Backend name -> what makes it for some devices of one kind. A new backend is one line here."""

_AUTO: Mapping[str, Sequence[str]] = {"cpu": ("numba",), "cuda": ("triton", "torch")}
"""Device kind -> backends to try, the best first; torch for any other."""
