"""The virtual checkpoint: any range of any file, what safetensors reads from it, and what is refused (promise 2)."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st

from initium.contract.leaves import LEAF, all_spans, leaf_digest
from initium.errors import FileNotFound, LimitExceeded, OutOfRange, PlanError, RequestError
from initium.plan.checkpoint import VirtualCheckpoint, check_range, find_file
from initium.plan.fills import encode_fill
from initium.v1.plan_pb2 import Plan
from initium_law import ENGINE, prepare
from initium_law.grammar import Constant, Copy, Eye, Fill, Literal, Normal, Orthogonal, Parts, Pointwise
from tests.plan.plans import CONFIG, DIGEST, LITERAL, TENSORS, make_plan

PLAN = make_plan()
CHECKPOINT = VirtualCheckpoint(PLAN)
WEIGHTS = CHECKPOINT.read("model.safetensors")


def drawn(name: str, shape: tuple[int, ...], dtype: str, fill: Fill) -> bytes:
    drawer = prepare(fill, PLAN.seed, name, shape, dtype, {DIGEST: LITERAL})
    out = np.empty(drawer.elements * drawer.item_size, np.uint8)
    drawer.draw(0, out)
    return out.tobytes()


def test_the_files_are_the_plans_own_in_streaming_order() -> None:
    assert [(file.name, file.size) for file in CHECKPOINT.files] == [
        ("model.safetensors", len(WEIGHTS)),
        ("config.json", len(CONFIG)),
    ]
    assert CHECKPOINT.read("config.json") == CONFIG


def test_every_tensor_lies_where_the_plan_says_with_the_bytes_of_its_fill() -> None:
    places = {tensor.name: (tensor.offset, tensor.size) for tensor in PLAN.tensors}
    for name, shape, dtype, fill in TENSORS:
        offset, size = places[name]
        assert WEIGHTS[offset : offset + size] == drawn(name, shape, dtype, fill), name


def test_safetensors_reads_it() -> None:
    read = safetensors.numpy.load(make_weights(("x", (2, 3), "F32", Eye()), ("y", (4,), "I8", Constant(-3.0))))
    np.testing.assert_array_equal(read["x"], np.eye(2, 3, dtype=np.float32))
    np.testing.assert_array_equal(read["y"], np.full(4, -3, np.int8))


def make_weights(*tensors: tuple[str, tuple[int, ...], str, Fill]) -> bytes:
    return VirtualCheckpoint(make_plan(list(tensors))).read("model.safetensors")


@given(st.integers(0, len(WEIGHTS)), st.integers(0, len(WEIGHTS) + 9))
def test_any_range_is_that_part_of_the_whole(offset: int, length: int) -> None:
    """Ranges begin and end inside elements, span tensors, and run into the end."""
    assert CHECKPOINT.read("model.safetensors", offset, length) == WEIGHTS[offset : offset + length]


@given(st.integers(0, len(CONFIG)), st.integers(0, len(CONFIG)))
def test_any_range_of_a_small_file(offset: int, length: int) -> None:
    assert CHECKPOINT.read("config.json", offset, length) == CONFIG[offset : offset + length]


def test_reading_writes_into_the_given_memory_only() -> None:
    out = np.full(40, 0xAA, np.uint8)
    CHECKPOINT.read_into(0, 3, out[10:30])
    assert out.tobytes() == b"\xaa" * 10 + WEIGHTS[3:23] + b"\xaa" * 10


def test_cheap_is_what_holds_nothing_random() -> None:
    places = {tensor.name: (tensor.offset, tensor.size) for tensor in PLAN.tensors}
    cheap = {name for name, (offset, size) in places.items() if size and CHECKPOINT.is_cheap(0, offset, size)}
    assert cheap == {"eye", "literal", "scalar", "dirac"}
    header = min(offset for offset, _ in places.values())
    assert CHECKPOINT.is_cheap(0, 0, header)
    assert not CHECKPOINT.is_cheap(0, header - 1, 2)
    offset = places["eye"][0]
    assert not CHECKPOINT.is_cheap(0, offset - 1, 2)
    assert not CHECKPOINT.is_cheap(0, offset, places["normal"][0] + 1 - offset)
    assert CHECKPOINT.is_cheap(1, 0, len(CONFIG))


def make_sharded() -> VirtualCheckpoint:
    tensors: list[tuple[str, tuple[int, ...], str, Fill]] = [(n, (10,), "F32", Normal(0.0, 1.0)) for n in "abcd"]
    return VirtualCheckpoint(make_plan(tensors, max_shard_bytes=85))


def test_shards_have_an_index_that_can_be_read_in_ranges() -> None:
    sharded = make_sharded()
    first, second, *others = [file.name for file in sharded.files]
    assert (first, second) == ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    assert others == ["model.safetensors.index.json", "config.json"]
    whole = sharded.read("model.safetensors.index.json")
    # Filled in the model's own order, which is the reverse of that of the names.
    assert json.loads(whole)["weight_map"] == {"a": second, "b": second, "c": first, "d": first}
    assert sharded.read("model.safetensors.index.json", 5, 7) == whole[5:12]


def test_shards_change_no_tensor() -> None:
    sharded = make_sharded()
    whole = safetensors.numpy.load(make_weights(*((n, (10,), "F32", Normal(0.0, 1.0)) for n in "abcd")))
    for file, names in zip(sharded.files, ("cd", "ab"), strict=False):
        held = safetensors.numpy.load(sharded.read(file.name))
        assert sorted(held) == list(names)
        for name, values in held.items():
            np.testing.assert_array_equal(values, whole[name])


def test_leaves_are_the_files_in_order_whatever_draws_them() -> None:
    plan = make_plan([("big", (LEAF // 4 + 5, 2), "F32", Normal(0.0, 1.0)), ("small", (3,), "F16", Constant(1.0))])
    checkpoint = VirtualCheckpoint(plan)
    whole = [checkpoint.read(file.name) for file in plan.files]
    for threads in (1, 3):
        leaves = list(checkpoint.leaves(threads))
        assert [(leaf.file, leaf.offset) for leaf in leaves] == [
            (span.file, span.offset) for span in all_spans([file.size for file in plan.files])
        ]
        assert [b"".join(leaf.data for leaf in leaves if leaf.file == i) for i in range(2)] == whole
        assert all(leaf.digest == leaf_digest(leaf.data) for leaf in leaves)
        assert len(leaves) == 4


@pytest.mark.parametrize(
    ("fill", "words"),
    [
        (Literal("00"), "the plan has no literal 00"),
        (Literal(DIGEST), "literal .* has 24 bytes, and shape .* takes 12"),
        (Eye(), "an eye fill needs a matrix"),
        (Normal(0.0, -1.0), "std=-1.0 is negative"),
        (Copy("x", Eye()), "an eye fill needs a matrix"),
        (Pointwise("sin", (Normal(0.0, 1.0),)), "'sin' is not one of"),
    ],
)
def test_a_fill_that_cannot_be_drawn_is_named_by_its_tensor(fill: Fill, words: str) -> None:
    plan = make_plan([("first", (2, 2), "F32", Constant(0.0)), ("x", (3,), "F32", fill)])
    with pytest.raises(PlanError, match=f"x: {words}") as caught:
        VirtualCheckpoint(plan)
    assert caught.value.violations[0].field == "tensors[1].fill"


def test_a_fill_that_is_no_fill_is_named_by_its_path() -> None:
    plan = make_plan([("x", (3,), "F32", Parts(Constant(0.0), ()))])
    plan.tensors[0].fill.parts.base.ClearField("kind")
    with pytest.raises(PlanError) as caught:
        VirtualCheckpoint(plan)
    assert caught.value.violations[0].field == "tensors[0].fill.parts.base"


def whole_plan(shape: tuple[int, ...], copies: int) -> Plan:
    plan = make_plan([("q", shape, "F32", Orthogonal(1.0))])
    fill = encode_fill(Pointwise("add", (Orthogonal(1.0), Orthogonal(2.0))))
    for _ in range(copies):
        plan.tensors[0].fill.CopyFrom(fill)
    return plan


def test_whole_tensors_beyond_the_limit_are_refused_before_they_are_made() -> None:
    with pytest.raises(
        LimitExceeded, match=r"q: Orthogonal needs its whole tensor .* 24 elements.* up to 23"
    ) as caught:
        VirtualCheckpoint(whole_plan((6, 4), 0), replace(ENGINE, whole_elements=23))
    assert (caught.value.reason, caught.value.violations[0].field) == ("TOO_LARGE", "tensors[0].fill")
    VirtualCheckpoint(whole_plan((6, 4), 0), replace(ENGINE, whole_elements=24))


def test_fills_may_not_make_far_more_than_the_checkpoint_has() -> None:
    """Promise 5: a small plan of many whole tensors in one."""
    VirtualCheckpoint(whole_plan((6, 4), 1), replace(ENGINE, whole_elements=24))
    plan = whole_plan((6, 4), 1)
    plan.tensors[0].fill.pointwise.operands.append(encode_fill(Orthogonal(3.0)))
    plan.tensors[0].fill.pointwise.op = "clamp"
    with pytest.raises(LimitExceeded, match="make 72 elements for a checkpoint of 24") as caught:
        VirtualCheckpoint(plan, replace(ENGINE, whole_elements=24))
    assert caught.value.violations[0].field == "tensors"
    VirtualCheckpoint(plan, replace(ENGINE, whole_elements=48))


def test_files_are_found_by_name() -> None:
    assert find_file(CHECKPOINT.files, "config.json") == 1
    with pytest.raises(FileNotFound, match=r"no file 'x'; it has model.safetensors, config.json") as caught:
        CHECKPOINT.read("x")
    assert caught.value.reason == "FILE_NOT_FOUND"
    assert caught.value.metadata == {"file_count": "2"}


def test_offsets_reach_to_the_end_and_no_further() -> None:
    check_range(PLAN.files[1], len(CONFIG))
    assert CHECKPOINT.read("config.json", len(CONFIG)) == b""
    for offset, length in ((-1, None), (-5, 3), (0, -1)):
        with pytest.raises(RequestError, match=rf"offset {offset} and length {length} must be 0 or more"):
            CHECKPOINT.read("config.json", offset, length)
    with pytest.raises(OutOfRange, match=r"offset 9 lies past the end of config.json, which has 8 bytes") as caught:
        CHECKPOINT.read("config.json", 9)
    assert (caught.value.reason, caught.value.metadata) == ("OUT_OF_RANGE", {"size": "8"})
