"""File layout: byte-identical to safetensors, sharded as Hugging Face does."""

from __future__ import annotations

import json

import numpy as np
import safetensors.torch
import torch
from huggingface_hub import split_torch_state_dict_into_shards
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import _TYPES

from initium.plan.layout import TensorSpec, WeightFile, lay_out, spec_of
from initium_law.dtypes import ITEM_SIZE

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(lambda n: n != "__metadata__")
SHAPES = st.lists(st.integers(0, 5), max_size=3).map(tuple)
SPECS = st.dictionaries(NAMES, st.tuples(SHAPES, st.sampled_from(sorted(ITEM_SIZE))), max_size=12).map(
    lambda d: [spec_of(name, shape, dtype, i) for i, (name, (shape, dtype)) in enumerate(d.items())]
)


def data(spec: TensorSpec) -> bytes:
    return np.random.default_rng(len(spec.name)).bytes(spec.size)


def as_torch(spec: TensorSpec) -> torch.Tensor:
    raw = torch.frombuffer(bytearray(data(spec)), dtype=torch.uint8) if spec.size else torch.empty(0, dtype=torch.uint8)
    return raw.view(_TYPES[spec.dtype]).reshape(spec.shape)


@given(SPECS)
def test_a_file_is_what_safetensors_serializes(specs: list[TensorSpec]) -> None:
    (file,) = lay_out(specs, None)
    assert isinstance(file, WeightFile)
    ours = file.header + b"".join(data(placed.spec) for placed in file.tensors)
    theirs = safetensors.torch.save({spec.name: as_torch(spec) for spec in specs}, metadata={"format": "pt"})
    assert ours == theirs
    assert len(ours) == file.size


@settings(deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=20), st.integers(1, 120))
def test_shards_are_hugging_faces(sizes: list[int], limit: int) -> None:
    specs = [spec_of(f"t{i}", (size,), "U8", i) for i, size in enumerate(sizes)]
    tensors = {spec.name: torch.empty(spec.shape, dtype=torch.uint8) for spec in specs}
    split = split_torch_state_dict_into_shards(tensors, max_shard_size=limit)
    files = lay_out(specs, limit)
    shards = [file for file in files if isinstance(file, WeightFile)]
    assert {file.name: {p.spec.name for p in file.tensors} for file in shards} == {
        name: set(names) for name, names in split.filename_to_tensors.items()
    }
    if split.is_sharded:
        index = json.loads(files[-1].content)  # type: ignore[union-attr] # the last file is the index
        assert index == {"metadata": split.metadata, "weight_map": split.tensor_to_filename}


def test_no_tensors_is_still_a_file() -> None:
    (file,) = lay_out([], 10)
    assert file.name == "model.safetensors"
