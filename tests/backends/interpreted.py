"""`python -m tests.backends.interpreted`, with TRITON_INTERPRET=1: the Triton kernels on NumPy, bit for bit.

A process of its own, since Triton decides when it is imported whether it compiles.
"""

from __future__ import annotations

import sys

from initium_law.backends import backend_for, triton_kernels
from tests.prove import gpu
from tests.prove.maps import INTERPRETED

from . import conformance


def main() -> int:
    """AssertionError where a bit differs."""
    assert triton_kernels.INTERPRETED
    conformance.check_draws(triton_kernels.fill, conformance.ONE_OF_EACH)
    conformance.check_words(triton_kernels.map_words)
    backend_for("cpu", "triton")
    triton_kernels.WIDEST = 256  # several programs, the last one not full
    conformance.check_draws(triton_kernels.fill, conformance.ONE_OF_EACH[:1], starts=(2**34 - 1001,))
    for case in INTERPRETED:
        by_torch, by_triton = (gpu.digest(gpu.device_of("cpu", name), case, 1 << 12, 2) for name in ("torch", "triton"))
        assert by_torch == by_triton, case
    print("the same bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
