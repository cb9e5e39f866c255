"""Which devices draw. Under `stream-v1` they never change a byte."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

_REFUSED = {"mps": "it has no float64, and its arithmetic is not IEEE 754's"}
"""Devices that torch has and the law cannot use, and why."""

_GPU_DRIVERS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
"""What stands where a GPU's driver is loaded: NVIDIA, AMD, either under WSL."""


def choose_device(wanted: str) -> str:
    """`--device`, with `auto` resolved: every GPU of this machine, e.g. `cuda:0,cuda:1`, else `cpu`.

    PyTorch is imported only where there is a driver. Whether a device can draw, `backend_for` says.
    """
    if wanted != "auto":
        return ",".join(name.strip() for name in wanted.split(",") if name.strip())
    if not any(Path(driver).exists() for driver in _GPU_DRIVERS):
        return "cpu"
    torch = imported("torch", "a GPU")
    return ",".join(f"cuda:{k}" for k in range(torch.cuda.device_count())) or "cpu"


def named_devices(text: str) -> list[str]:
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
    torch = imported("torch", "a device other than cpu")
    accelerator = torch.accelerator.current_accelerator()
    if accelerator is None or accelerator.type in _REFUSED:
        return ["cpu"]
    return ["cpu", *(f"{accelerator.type}:{k}" for k in range(torch.accelerator.device_count()))]


def imported(module: str, who: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise OSError(f"{who} needs {module}, which cannot be imported here ({error}); use --device cpu") from error
