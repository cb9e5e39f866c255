"""Matrices with structure: identities, orthogonal ones, sparse ones."""

from __future__ import annotations

import itertools
from typing import Any

from initium_law import grammar as fills
from initium_server.planning.initializers.registry import Resolution, initializer, non_negative, number
from initium_server.planning.target import Target


@initializer
def eye(args: Any, target: Target) -> Resolution:
    if len(target.shape) != 2:
        raise ValueError(f"eye needs 2 dimensions; {target.shown}")
    return Resolution(fills.Eye())


@initializer
def dirac(args: Any, target: Target) -> Resolution:
    groups = args.groups if args.HasField("groups") else 1
    if len(target.shape) not in (3, 4, 5):
        raise ValueError(f"dirac needs 3 to 5 dimensions; {target.shown}")
    if groups < 1 or target.shape[0] % groups:
        raise ValueError(f"groups = {groups} must be 1 or more and divide the first extent; {target.shown}")
    return Resolution(fills.Dirac(groups))


@initializer
def orthogonal(args: Any, target: Target) -> Resolution:
    if len(target.shape) < 2:
        raise ValueError(f"orthogonal needs 2 dimensions or more; {target.shown}")
    return Resolution(fills.Orthogonal(number(args, "gain", 1.0)))


@initializer(torch=False)
def delta_orthogonal(args: Any, target: Target) -> Resolution:
    """Zeros, and an orthogonal matrix at the centre tap, as jax has it: Xiao et al. 2018, arXiv 1806.05393."""
    shape = target.shape
    if len(shape) not in (3, 4, 5):
        raise ValueError(f"delta_orthogonal needs 3 to 5 dimensions; {target.shown}")
    if shape[0] < shape[1]:
        raise ValueError(f"delta_orthogonal needs as many output channels as input channels, or more; {target.shown}")
    centre = tuple(max(extent - 1, 0) // 2 for extent in shape[2:])
    box = (0, 0, *centre), (*shape[:2], *(min(k + 1, extent) for k, extent in zip(centre, shape[2:], strict=True)))
    part = fills.Part(*box, fills.Orthogonal(number(args, "gain", 1.0)))
    return Resolution(fills.Parts(fills.Constant(0.0), (part,)))


@initializer
def sparse(args: Any, target: Target) -> Resolution:
    sparsity = number(args, "sparsity")
    if not 0 <= sparsity <= 1:
        raise ValueError(f"sparsity is {sparsity}; it is the share of zeros in a column, from 0 to 1")
    if len(target.shape) != 2:
        raise ValueError(f"sparse needs 2 dimensions; {target.shown}")
    return Resolution(fills.Sparse(sparsity, non_negative(args, "std", 0.01)))


@initializer(torch=False)
def block_orthogonal(args: Any, target: Target) -> Resolution:
    """AllenNLP's block_orthogonal (allennlp/nn/initializers.py), each block with draws of its own."""
    sizes, shape, gain = tuple(args.split_sizes), target.shape, number(args, "gain", 1.0)
    if len(sizes) != len(shape) or len(shape) < 2:
        raise ValueError(
            f"split_sizes has {len(sizes)} extents and needs one per axis, of 2 axes or more; {target.shown}"
        )
    if any(size < 1 or extent % size for size, extent in zip(sizes, shape, strict=True)):
        raise ValueError(f"split_sizes = {list(sizes)} must divide every extent; {target.shown}")
    corners = itertools.product(*(range(0, extent, size) for size, extent in zip(sizes, shape, strict=True)))
    boxes = ((at, tuple(k + size for k, size in zip(at, sizes, strict=True))) for at in corners)
    parts = tuple(fills.Part(start, stop, fills.Orthogonal(gain)) for start, stop in boxes)
    return Resolution(fills.Parts(fills.Constant(0.0), parts))
