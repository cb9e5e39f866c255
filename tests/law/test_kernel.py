"""What the compiler made of the law: no contraction, vector code, and a cache that may be missing."""

from __future__ import annotations

import platform
import re
import struct
from typing import Any

import numba
import numpy as np
import pytest
from numba.core import caching

from initium_law import jit, prepare
from initium_law.backends import numba_kernel
from initium_law.grammar import Normal
from initium_law.maps import far, normal, philox, truncated

from .support import draw

X86 = platform.machine() in ("x86_64", "AMD64")


def assembly(function: Any, *arguments: Any) -> str:
    """The machine code of a kernel for arguments of these types, compiled here with the kernel's own options."""
    compiled = numba.njit(nogil=True, error_model="numpy")(function.py_func)
    compiled(*arguments)
    (text,) = compiled.inspect_asm().values()
    return str(text)


def buffers(*kinds: Any) -> list[Any]:
    return [np.ones(philox.BLOCK, kind) for kind in kinds]


@pytest.mark.skipif(not X86, reason="reads x86-64 assembly")
def test_nothing_is_contracted() -> None:
    """Promise 1 (pure): no fused multiply-add, whatever the processor offers."""
    ident, params = np.ones(4, np.uint32), np.ones(12, np.float32)
    arguments = (np.zeros(64, np.uint8), np.uint64(0), ident, 2, params, np.uint32(1), 0)
    text = assembly(numba_kernel.draw_random, *arguments)
    text += assembly(normal.symmetric_block, *buffers(np.uint32, np.float32, np.float32), params)
    text += assembly(normal.values_block, *buffers(np.float32, np.float32, np.float32), params)
    text += assembly(truncated.sided_block, *buffers(np.uint32, np.float32, np.float32), params, np.uint32(1))
    text += assembly(normal.log_block, *buffers(np.float32))
    text += assembly(far.far_block, *buffers(np.uint32, np.float32, np.float32), params)
    text += assembly(far.far_values_block, *buffers(np.float32, np.float32, np.float32), params)
    assert re.search(r"\bv?(mulps|divps|sqrtps)\b", text)
    assert not re.search(r"\bvfn?m(add|sub)", text)


@pytest.mark.skipif(not X86, reason="reads x86-64 assembly")
def test_loops_are_vectorized() -> None:
    """Promise 7 (faster): the words and each map run in vector registers."""
    ident, params = np.ones(4, np.uint64), np.ones(12, np.float32)
    words = assembly(philox.words_block, np.zeros(philox.BLOCK // 2, np.uint64), np.uint64(0), ident)
    assert len(re.findall(r"\bv?pmuludq\b", words)) in (36, 72), "products of more than low halves, or not in vectors"
    assert re.search(r"v?psrad", assembly(normal.log_block, *buffers(np.float32)))
    assert re.search(r"v?divps", assembly(normal.values_block, *buffers(np.float32, np.float32, np.float32), params))
    assert re.search(r"v?sqrtps", assembly(far.far_values_block, *buffers(np.float32, np.float32, np.float32), params))
    narrow = assembly(truncated.sided_block, *buffers(np.uint32, np.float32, np.float32), params, np.uint32(1))
    assert re.search(r"v?cvtdq2ps|vcvtudq2ps|v?psrld", narrow)


def test_kernels_compile_without_a_cache_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise 4 (nothing silent) has its limit: a read-only installation costs a compilation, not an error."""

    def read_only(self: object) -> None:
        raise OSError("read-only file system")

    monkeypatch.setattr(caching._CacheLocator, "ensure_cache_path", read_only)

    @jit.jit
    def twice(x: Any) -> Any:
        return x + x

    assert twice(np.uint64(4)) == 8


def test_cached_kernels_follow_every_source_file() -> None:
    """Promise 1 (pure): a kernel is compiled anew when any file of the law changed, not only its own."""
    cache = numba_kernel.draw_random.dispatcher._cache
    if not hasattr(cache, "_cache_file"):
        pytest.skip("no cache directory here")
    assert cache._cache_file._source_stamp == jit._sources_digest()


def test_bytes_are_little_endian() -> None:
    """Promise 1 (pure): the first value of a stream, spelt out."""
    drawn = draw(prepare(Normal(0.0, 1.0), 0, "x", (1,), "F32"), 0, 1)
    wide = draw(prepare(Normal(0.0, 1.0), 0, "x", (1,), "F64"), 0, 1)
    assert struct.unpack("<f", drawn) == struct.unpack("<d", wide)
