"""The Triton kernels: their arithmetic in the interpreter, and what Triton compiles them to for GPUs, without one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from initium_law.grammar import Normal, TruncNormal, Uniform
from initium_law.maps.random_fills import Draw, resolve

# The test extra brings it where there are wheels: Linux on x86-64.
triton = pytest.importorskip("triton", reason="TRITON IS NOT INSTALLED, SO ITS KERNELS WERE NOT CHECKED")

from triton.backends.compiler import GPUTarget  # noqa: E402 # after the check that triton is there

from initium_law.backends import triton_kernels  # noqa: E402 # it imports triton

ROOT = Path(__file__).parents[2]

FILLS = {
    "uniform": Uniform(0.0, 1.0),
    "normal": Normal(0.0, 1.0),
    "truncated": TruncNormal(0.5, 1.0, 0.25, 4.0),
    "far": TruncNormal(0.0, 1.0, 5.0, 6.0),
}
VARIANTS = [*((name, "F32") for name in FILLS), *(("uniform", d) for d in ("BF16", "F16", "F64", "F8_E4M3", "F8_E5M2"))]

TARGETS = {
    "sm_80": GPUTarget("cuda", 80, 32),
    "sm_90": GPUTarget("cuda", 90, 32),
    "gfx942": GPUTarget("hip", "gfx942", 64),
}

pytestmark = pytest.mark.skipif(triton_kernels.INTERPRETED, reason="TRITON_INTERPRET is set for the whole run")


def test_interpreted_kernels_give_the_same_bytes() -> None:
    """Promise 1 (pure): every map and rendering, any range, and the words at which a map's branches change."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.backends.interpreted"],
        cwd=ROOT,
        env={**os.environ, "TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout == "the same bytes\n"


class Driver:
    """A GPU to compile for, not to launch on; with a number of its own, by which kernels keep their variants."""

    def __init__(self, name: str) -> None:
        self.get_current_target = lambda: TARGETS[name]
        self.get_current_device = lambda: 1000 + list(TARGETS).index(name)
        self.get_current_stream = lambda device: 0


Compile = Callable[..., Any]


@pytest.fixture
def compile_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Compile:
    """Compiles what `triton_kernels.fill` would launch, with the very arguments that it would give."""
    monkeypatch.setattr(triton.knobs.cache, "dir", str(tmp_path))
    recorder = _Recorder(triton_kernels.draw_kernel)
    monkeypatch.setattr(triton_kernels, "draw_kernel", recorder)

    def compile_for(target: str, name: str, dtype: str, seed: int = 1, counter: int = 0, groups: int = 4096) -> Any:
        monkeypatch.setattr(triton.runtime.driver, "_active", Driver(target))
        draw = resolve(FILLS[name], np.arange(seed, seed + 4, dtype=np.uint32) * np.uint32(0x9E3779B9), dtype)
        assert isinstance(draw, Draw)
        out = torch.zeros(groups * 4 * 8, dtype=torch.uint8)
        size = triton_kernels.ELEMENT[draw.code].itemsize
        triton_kernels.fill(draw, counter, out[: groups * 4 * size])
        return recorder.made

    return compile_for


class _Recorder:
    """Stands for a kernel; compiles instead of launching."""

    def __init__(self, kernel: Any) -> None:
        self._kernel = kernel
        self.made: Any = None

    def __getitem__(self, grid: tuple[int, ...]) -> Callable[..., None]:
        def compile_only(*args: Any, **options: Any) -> None:
            self.made = self._kernel.warmup(*args, grid=grid, **options)

        return compile_only


@pytest.mark.parametrize(("name", "dtype"), VARIANTS)
def test_nothing_is_contracted_on_nvidia(compile_for: Compile, name: str, dtype: str) -> None:
    """Promise 1 (pure): no fused multiply-add, no flushing, exact division and roots, all roundings spelt out."""
    ptx = compile_for("sm_90", name, dtype).asm["ptx"]
    operations = set(re.findall(r"\b(?:add|sub|mul|div|sqrt|fma|mad|rcp|rsqrt|ex2|lg2)\.[\w.]*f32\b", ptx))
    exact = {f"{operation}.rn.f32" for operation in ("add", "sub", "mul", "div", "sqrt")}
    assert operations
    assert operations <= exact
    assert ".ftz" not in ptx
    assert ("div.rn.f32" in operations) == (name != "uniform")
    assert ("sqrt.rn.f32" in operations) == (name == "far")


def test_the_assembler_contracts_nothing_either(compile_for: Compile) -> None:
    """Promise 1 (pure): a map without a division has no fused multiply-add in its machine code."""
    for target in ("sm_80", "sm_90"):
        sass = compile_for(target, "uniform", "F32").asm["sass"]
        assert "FMUL" in sass
        assert "FADD" in sass
        assert not re.search(r"\bFFMA|\.FTZ", sass)


@pytest.mark.parametrize(("name", "dtype"), VARIANTS)
def test_nothing_is_contracted_on_amd(compile_for: Compile, name: str, dtype: str) -> None:
    """Promise 1 (pure): fused multiply-adds only in the exact division and root; subnormal numbers are kept."""
    text = compile_for("gfx942", name, dtype).asm["amdgcn"]
    assert re.search(r"amdhsa_float_denorm_mode_32 3\b", text)
    assert not re.search(r"v_(pk_)?(mad|mac)_f", text)
    fused, divisions, roots = (
        len(re.findall(p, text)) for p in (r"v_(?:pk_)?fmac?_f32", "v_div_fixup_f32", "v_sqrt_f32")
    )
    assert (divisions > 0) == (name != "uniform")
    assert (roots > 0) == (name == "far")
    # A division is a scaled Newton iteration of five, a root is corrected by two.
    assert fused == 5 * divisions + 2 * roots


@pytest.mark.parametrize("target", ["sm_80", "gfx942"])
@pytest.mark.parametrize(("dtype", "store"), [("F32", "v4|x4"), ("BF16", r"v2|x2"), ("F8_E4M3", r"b32|dword\b")])
def test_threads_store_whole_counters(compile_for: Compile, target: str, dtype: str, store: str) -> None:
    """Promise 7 (faster): the four elements of a counter leave in one instruction."""
    made = compile_for(target, "normal", dtype)
    stores = re.findall(
        r"(?:st\.global|buffer_store_|global_store_)[\w.]+", made.asm["ptx" if target == "sm_80" else "amdgcn"]
    )
    assert stores
    assert all(re.search(store, instruction) for instruction in stores)


def test_one_variant_serves_every_range(compile_for: Compile) -> None:
    """Promise 2 (addressable): no seed, place or length makes Triton compile again."""
    first = compile_for("sm_90", "truncated", "F32")
    for seed, counter, groups in ((2, 1, 1), (0, 16, 16), (5, 2**31, 1000), (77, 2**40 + 1, 4096), (3, 2**32 - 1, 17)):
        assert compile_for("sm_90", "truncated", "F32", seed, counter, groups) is first
