"""Which devices a server uses. Under `stream-v1` they never change a byte."""

from __future__ import annotations

from pathlib import Path

_GPU_DRIVERS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
"""What stands where a GPU's driver is loaded: NVIDIA, AMD, either under WSL."""


def choose_device(wanted: str) -> str:
    """`--device`, with `auto` resolved: every GPU of this machine, e.g. `cuda:0,cuda:1`, else `cpu`.

    PyTorch is imported only where there is a driver. Whether a device can draw, `accelerators.backend_for` says.
    """
    if wanted != "auto":
        return ",".join(name.strip() for name in wanted.split(",") if name.strip())
    if not any(Path(driver).exists() for driver in _GPU_DRIVERS):
        return "cpu"
    import torch

    return ",".join(f"cuda:{k}" for k in range(torch.cuda.device_count())) or "cpu"


def first_device(devices: str) -> str:
    """Where generator `torch` runs, which takes one device."""
    return devices.partition(",")[0]
