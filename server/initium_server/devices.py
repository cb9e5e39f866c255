"""Which device a server uses. Under `stream-v1` it never changes a byte."""

from __future__ import annotations


def choose_device(wanted: str) -> str:
    """The device for `--device`: `auto` is `cpu`, where the law's only backend of this version draws.

    Other devices serve generator `torch`. Raises OSError when PyTorch does not see `wanted`.
    """
    if wanted in ("auto", "cpu"):
        return "cpu"
    import torch

    try:
        torch.empty(0, device=wanted)
    except (RuntimeError, AssertionError) as error:
        text = str(error).splitlines()[0]
        raise OSError(f"--device {wanted}: PyTorch cannot use it here ({text}); use --device cpu") from None
    return wanted
