"""Plan documents: written once, read strictly, and never believed where they can be checked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format

import initium
from initium.contract.canonical import seal, to_json
from initium.contract.plans import (
    check_digests,
    check_files,
    elements,
    locate,
    plan_from_data,
    sealed,
    total_bytes,
    total_elements,
)
from initium.contract.recipe import load
from initium.v1.plan_pb2 import Plan, PlannedFile, PlannedTensor


def small_plan() -> Plan:
    """A plan without digests."""
    tensors = [PlannedTensor(name="x", shape=[2], dtype="F32", offset=8, size=8)]
    return Plan(plan_version=1, seed=3, tensors=tensors, files=[PlannedFile(name="model.safetensors", size=16)])


CANONICAL = (
    b'{"files":[{"name":"model.safetensors","size":"16"}],'
    b'"plan_digest":"7f0a","plan_version":1,"seed":"3",'
    b'"tensors":[{"dtype":"F32","name":"x","offset":"8","shape":["2"],"size":"8"}],"weights_key":"00ff"}'
)


def test_a_plan_file_is_the_canonical_form_with_both_digests(tmp_path: Path) -> None:
    plan = small_plan()
    initium.write_plan(plan, tmp_path / "plan.json")
    digest, key = check_digests(plan)
    expected = CANONICAL.replace(b"7f0a", digest.encode()).replace(b"00ff", key.encode())
    assert (tmp_path / "plan.json").read_bytes() == expected
    assert initium.read_plan(tmp_path / "plan.json") == seal(small_plan())
    assert plan == small_plan()


def test_where_a_plan_cannot_be_written_it_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(initium.OutputError, match=f"cannot write {tmp_path}/missing/"):
        initium.write_plan(small_plan(), tmp_path / "missing" / "plan.json")


BROKEN: list[tuple[str, Any]] = [
    *[(name, value) for name in ("shape", "offset", "fill", "kind") for value in (1.5, "x", None, {}, [])],
    *[(name, value) for name in ("file", "aliases", "resolved") for value in (1.5, "x", None, {}, [], [1])],
    *[(name, value) for name in ("offset", "file", "kind", "group") for value in (True, 3, "3", -1)],
    *[(name, value) for name in ("name", "trainable") for value in (True, 3, "3", -1)],
    *[("shape", [value]) for value in ("2", 2, "-1", "1_0", " 2", "2.0", 2.5, True, "99999999999999999999", "\u0663")],
    *[("resolved", value) for value in ({"a": 1}, {"a": None}, [])],
    *[("fill", {"normal": value}) for value in ({"mean": 1}, {"maen": "1"}, None, {})],
    ("fill", {"norm_of": {"shape": ["2"], "axis": 1}}),
    ("fill", {"normal": {}, "uniform": {}}),
    ("ruleName", "x"),
    ("rules", "x"),
]


@pytest.mark.parametrize(("field", "value"), BROKEN, ids=repr)
def test_a_tensor_is_read_as_the_json_mapping_says(field: str, value: Any) -> None:
    """The fast way and protobuf's own reader take and refuse the same."""
    data = to_json(small_plan())
    data["tensors"][0][field] = value
    try:
        wanted = json_format.ParseDict(data, Plan())
    except json_format.ParseError:
        with pytest.raises(initium.PlanError):
            plan_from_data(data)
    else:
        assert plan_from_data(data) == wanted


@pytest.mark.parametrize("carried", [(), ("plan_digest",), ("weights_key",), ("plan_digest", "weights_key")])
def test_sealing_fills_in_what_is_missing(carried: tuple[str, ...]) -> None:
    whole, plan = seal(small_plan()), small_plan()
    for name in carried:
        setattr(plan, name, getattr(whole, name))
    assert sealed(plan) == whole
    assert (sealed(plan) is plan) == (len(carried) == 2)
    assert [name for name in ("plan_digest", "weights_key") if getattr(plan, name)] == list(carried)


@pytest.mark.parametrize("name", ["plan_digest", "weights_key"])
def test_a_digest_that_is_stated_must_be_right(name: str) -> None:
    plan = seal(small_plan())
    right = getattr(plan, name)
    assert check_digests(plan) == (plan.plan_digest, plan.weights_key)
    setattr(plan, name, "0" * 64)
    with pytest.raises(initium.PlanError) as caught:
        check_digests(plan)
    assert caught.value.reason == "PLAN_DIGEST_MISMATCH"
    assert caught.value.message == "the plan was changed after it was written; resolve the recipe again"
    assert [str(violation) for violation in caught.value.violations] == [
        f"{name}: the plan says {'0' * 64}, its content has {right}"
    ]
    setattr(plan, name, "")
    assert getattr(sealed(plan), name) == right


def as_data(**changes: Any) -> dict[str, Any]:
    return {"plan_version": 1, "generator": "stream-v1"} | changes


UNREADABLE: dict[str, tuple[dict[str, Any], str, list[str]]] = {
    "newer": (
        as_data(plan_version=3, more=1),
        "plan_version 3 is newer than this client reads (2); upgrade initium",
        [],
    ),
    "unknown keys": (
        as_data(file=[], tensors=[{"nam": "x"}]),
        "not a plan of this client's version",
        ["file: unknown key; did you mean files?", "tensors[0].nam: unknown key; did you mean name?"],
    ),
    "another digest": (
        as_data(plan_digest="0" * 64),
        "the plan was changed after it was written; resolve the recipe again",
        ["plan_digest: the plan says "],
    ),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_is_no_plan_is_reported_with_the_file_it_came_from(name: str, tmp_path: Path) -> None:
    data, message, violations = UNREADABLE[name]
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(data))
    reasons = set()
    readers: list[tuple[Callable[[], object], str]] = [
        (lambda: plan_from_data(data), ""),
        (lambda: plan_from_data(data, file), f"{file}: "),
        (lambda: initium.read_plan(file), f"{file}: "),
        (lambda: load(file), f"{file}: "),
        (lambda: load(data), ""),
    ]
    for read, prefix in readers:
        with pytest.raises(initium.PlanError) as caught:
            read()
        assert caught.value.message == prefix + message
        assert len(caught.value.violations) == len(violations)
        for found, start in zip(caught.value.violations, violations, strict=True):
            assert str(found).startswith(start)
        reasons.add(caught.value.reason)
    assert reasons == {"PLAN_DIGEST_MISMATCH" if name == "another digest" else "INVALID_PLAN"}


@pytest.mark.parametrize("version", [0, 1])
def test_older_plans_are_read(version: int) -> None:
    assert plan_from_data(as_data(plan_version=version)).plan_version == version


@pytest.mark.parametrize("change", [{"seed": -1}, {"plan_version": True}, {"tensors": {}}, {"plan_digest": 5}])
def test_values_of_the_wrong_kind_are_reported(change: Mapping[str, Any]) -> None:
    with pytest.raises(initium.PlanError, match=r"^not a plan: ") as caught:
        plan_from_data(as_data(**change))
    assert not caught.value.violations


def test_at_most_twenty_unknown_keys_are_reported() -> None:
    with pytest.raises(initium.PlanError) as caught:
        plan_from_data(as_data(**{f"key{number:02}": 1 for number in range(25)}))
    assert [violation.field for violation in caught.value.violations] == [f"key{number:02}" for number in range(20)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[1]", "is not a plan: it has no plan_version"),
        (b"text", "is not a plan: it has no plan_version"),
        (b'{"seed": "1"}', "is not a plan: it has no plan_version"),
        (b"{", "is not JSON: "),
        (b"", "is not JSON: the text is empty"),
        (b'{"plan_version": 1, "x": "\xff"}', "is not JSON: 'utf-8' codec can't decode"),
    ],
)
def test_a_file_that_holds_no_plan(content: bytes, message: str, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_bytes(content)
    with pytest.raises(initium.PlanError) as caught:
        initium.read_plan(file)
    assert caught.value.message.startswith(f"{file} {message}")


@pytest.mark.parametrize(("name", "why"), [(".", "Is a directory"), ("missing.json", "No such file or directory")])
def test_a_file_that_cannot_be_read(name: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(initium.PlanError, match=f"^cannot read {tmp_path / name}: {why}$"):
        initium.read_plan(tmp_path / name)


def test_a_plan_and_another_seed_exclude_each_other() -> None:
    plan = small_plan()
    for source in (plan, {"plan_version": 1, "seed": "3"}):
        assert load(source).seed == load(source, seed=3).seed == 3
        with pytest.raises(initium.PlanError, match="the plan has seed 3, not 4; resolve the recipe again to change"):
            load(source, seed=4)
    assert load(plan) is plan
    with pytest.raises(initium.RecipeError, match="this is a plan, not a recipe; it has a `plan_version`"):
        initium.load_recipe(plan)  # type: ignore[arg-type] # wrong on purpose


SHAPES: dict[tuple[int, ...], int] = {(): 1, (7,): 7, (2, 3, 4): 24, (5, 0, 2): 0, (2**40, 2**20): 2**60}


@pytest.mark.parametrize("shape", SHAPES)
def test_elements(shape: tuple[int, ...]) -> None:
    assert elements(PlannedTensor(shape=shape)) == SHAPES[shape]


def test_totals() -> None:
    plan = Plan(
        tensors=[PlannedTensor(shape=shape, aliases=["another name"]) for shape in SHAPES],
        files=[PlannedFile(size=size) for size in (0, 5, 7)],
    )
    assert total_elements(plan) == sum(SHAPES.values())
    assert total_bytes(plan) == 12
    assert total_elements(Plan()) == total_bytes(Plan()) == 0


def named(*names: str) -> Plan:
    return Plan(files=[PlannedFile(name=name) for name in names])


GOOD = ["model.safetensors", "0", "A-b_c.D", "x" * 200, "partial", "manifest.json.txt", "x.partial.y", "Manifest.json"]
BAD = ["", ".", "..", ".x", "-x", "_x", "a/b", "/a", "a\\b", "a b", "a\n", "x\0", "\xe4", "x" * 201]
OWN = ["manifest.json", "x.partial", "manifest.json.partial"]


def test_plain_names_are_safe() -> None:
    check_files(named(*GOOD))


@pytest.mark.parametrize("name", BAD + OWN)
def test_nobody_is_trusted_with_paths_or_with_the_clients_own_names(name: str) -> None:
    with pytest.raises(initium.PlanError) as caught:
        check_files(named("fine", name))
    reported = f"files[1].name: {name!r} is no plain file name, or the client's own"
    assert [str(violation) for violation in caught.value.violations] == [reported]


def test_no_two_files_have_one_name() -> None:
    with pytest.raises(initium.PlanError) as caught:
        check_files(named("a", "b", "c", "b"))
    assert [str(violation) for violation in caught.value.violations] == ["files[3].name: two files are called 'b'"]


def test_a_plan_without_files_cannot_be_written() -> None:
    with pytest.raises(initium.PlanError, match="files: the plan has no files; resolve the recipe again"):
        check_files(Plan(plan_version=1))


def test_bytes_are_located_in_their_tensor() -> None:
    places = {"a": (0, 10, 4), "b": (0, 14, 2), "none": (0, 16, 0), "c": (1, 12, 8)}
    tensors = [PlannedTensor(name=name, file=f, offset=o, size=s) for name, (f, o, s) in places.items()]
    plan = Plan(tensors=tensors)
    found = [locate(plan, file, offset) for file in range(3) for offset in range(22)]
    names = "".join("." if tensor is None else tensor.name for tensor in found)
    assert names == "..........aaaabb......" + "............cccccccc.." + "." * 22
