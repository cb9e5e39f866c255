"""File layout: which tensor lies where, and the bytes that are not tensors. Follows from names, shapes and dtypes
alone.

Weight files are byte-identical to what `safetensors.serialize` writes with the metadata {"format": "pt"}; shards and
their index are named and filled as huggingface_hub's `split_torch_state_dict_into_shards` does.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from initium.v1 import plan_pb2
from initium_law.dtypes import ITEM_SIZE

_quoted = json.encoder.encode_basestring
_FILE_ORDER = {dtype: place for place, dtype in enumerate(ITEM_SIZE)}
METADATA = {"format": "pt"}
INDEX_FILE = "model.safetensors.index.json"
RESERVED_NAMES = ("", "__metadata__")
"""Tensor names that a safetensors header cannot hold."""


class TensorSpec(NamedTuple):
    """What layout needs to know of a tensor."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    ordinal: int
    """Its place in the model's own order."""
    size: int
    """Bytes."""


def spec_of(name: str, shape: tuple[int, ...], dtype: str, ordinal: int) -> TensorSpec:
    """The spec of a tensor of one of the dtypes of ITEM_SIZE."""
    return TensorSpec(name, shape, dtype, ordinal, math.prod(shape) * ITEM_SIZE[dtype])


class Placed(NamedTuple):
    """A tensor and its first byte in its file."""

    spec: TensorSpec
    offset: int


@dataclass(frozen=True, slots=True)
class WeightFile:
    """A safetensors file: header bytes, then the tensors without gaps."""

    name: str
    header: bytes
    tensors: tuple[Placed, ...]

    @property
    def size(self) -> int:
        """Bytes, header included."""
        last = self.tensors[-1] if self.tensors else None
        return last.offset + last.spec.size if last else len(self.header)


@dataclass(frozen=True, slots=True)
class SmallFile:
    """A file whose whole content is known, e.g. the index or `config.json`."""

    name: str
    content: bytes

    @property
    def size(self) -> int:
        return len(self.content)

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return len(self.content)


def file_key(spec: TensorSpec) -> tuple[int, bytes]:
    """Sort key of safetensors' file order."""
    return _FILE_ORDER[spec.dtype], spec.name.encode()


Layout = Sequence[WeightFile | SmallFile]
"""The files that follow from a plan's tensors, in streaming order."""


def lay_out(specs: Sequence[TensorSpec], max_shard_bytes: int | None) -> Layout:
    """The weight files, and the index if there is more than one."""
    shards = _shards(specs, max_shard_bytes)
    names = _names(len(shards))
    files: list[WeightFile | SmallFile] = [_weight_file(name, s) for name, s in zip(names, shards, strict=True)]
    if len(shards) > 1:
        files.append(SmallFile(INDEX_FILE, _index(zip(names, shards, strict=True))))
    return files


def _names(count: int) -> list[str]:
    if count == 1:
        return ["model.safetensors"]
    return [f"model-{i:05d}-of-{count:05d}.safetensors" for i in range(1, count + 1)]


def _shards(specs: Sequence[TensorSpec], limit: int | None) -> list[list[TensorSpec]]:
    """Greedy in the model's own order. A tensor above the limit gets a shard at once, while the open one stays open."""
    if limit is None:
        return [list(specs)]
    shards: list[list[TensorSpec]] = []
    current: list[TensorSpec] = []
    room = limit
    for spec in sorted(specs, key=lambda spec: spec.ordinal):
        if spec.size > limit:
            shards.append([spec])
            continue
        if spec.size > room:
            shards.append(current)
            current, room = [], limit
        current.append(spec)
        room -= spec.size
    if current or not shards:
        shards.append(current)
    return shards


def _weight_file(name: str, specs: Iterable[TensorSpec]) -> WeightFile:
    ordered = sorted(specs, key=file_key)
    header = _header(ordered)
    placed, offset = [], len(header)
    for spec in ordered:
        placed.append(Placed(spec, offset))
        offset += spec.size
    return WeightFile(name, header, tuple(placed))


def _header(ordered: Sequence[TensorSpec]) -> bytes:
    """Length and JSON of a header. Entries are written out: headers have up to a million."""
    entries = [f'"__metadata__":{json.dumps(METADATA, separators=(",", ":"))}']
    begin = 0
    for name, shape, dtype, _, size in ordered:
        extents = ",".join(map(str, shape))
        end = begin + size
        entries.append(f'{_quoted(name)}:{{"dtype":"{dtype}","shape":[{extents}],"data_offsets":[{begin},{end}]}}')
        begin = end
    text = f"{{{','.join(entries)}}}".encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _index(shards: Iterable[tuple[str, list[TensorSpec]]]) -> bytes:
    """Tensors sorted by name, two spaces of indent, a newline at the end: as save_pretrained writes it."""
    weight_map: dict[str, str] = {}
    total = 0
    for name, specs in shards:
        total += sum(spec.size for spec in specs)
        weight_map |= dict.fromkeys((spec.name for spec in specs), name)
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    return (json.dumps(index, indent=2, sort_keys=True) + "\n").encode()


def limit_of(plan: plan_pb2.Plan) -> int | None:
    """The plan's largest file in bytes of tensor data, if it has a limit."""
    return plan.max_shard_bytes if plan.HasField("max_shard_bytes") else None


def layout_of(plan: plan_pb2.Plan) -> Layout:
    """Weight files and index as they follow from the plan's tensors."""
    return lay_out([spec_of(t.name, tuple(t.shape), t.dtype, t.ordinal) for t in plan.tensors], limit_of(plan))


def write_layout(plan: plan_pb2.Plan, layout: Layout, small: Mapping[str, bytes]) -> None:
    """Fills in files and the place of every tensor, replacing what stands there."""
    del plan.files[:]
    plan.files.extend(planned_files(layout, small))
    places = places_of(layout)
    for tensor in plan.tensors:
        tensor.file, tensor.offset, tensor.size = places[tensor.name]


def planned_files(layout: Layout, small: Mapping[str, bytes]) -> Iterator[plan_pb2.PlannedFile]:
    """The files of a plan: as laid out, then the small ones by name."""
    for file in layout:
        yield plan_pb2.PlannedFile(name=file.name, size=file.size)
    for name, content in sorted(small.items()):
        yield plan_pb2.PlannedFile(name=name, size=len(content), content=content)


def places_of(layout: Layout) -> dict[str, tuple[int, int, int]]:
    """Index of its file, first byte in it, and size of every tensor, by name."""
    return {
        placed.spec.name: (i, placed.offset, placed.spec.size)
        for i, file in enumerate(layout)
        for placed in (file.tensors if isinstance(file, WeightFile) else ())
    }
