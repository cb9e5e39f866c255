"""Promise 5 (safe to expose): each kind of bad plan has one reason, and the path of the field at fault."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from initium.contract.canonical import seal
from initium.errors import InitiumError, LimitExceeded, PlanError, Unsupported
from initium.plan.check import check_plan
from initium.plan.checkpoint import VirtualCheckpoint
from initium.plan.layout import layout_of, write_layout
from initium.plan.limits import Limits
from initium.v1.fill_pb2 import Fill
from initium.v1.plan_pb2 import Plan
from initium_law.draw import MAX_AXES
from initium_law.grammar import Constant
from tests.plan.plans import make_plan, unsealed


def failure(plan: Plan, limits: Limits | None = None) -> InitiumError:
    with pytest.raises(InitiumError) as caught:
        check_plan(plan, limits or Limits())
    return caught.value


def test_a_sound_plan_passes_unchanged() -> None:
    plan, given = make_plan(), make_plan()
    check_plan(plan, Limits())
    assert plan == given


def test_missing_digests_are_filled_in() -> None:
    plan = unsealed(make_plan())
    check_plan(plan, Limits())
    assert plan == make_plan()


@pytest.mark.parametrize("digests", [True, False])
@pytest.mark.parametrize("shards", [None, 40])
def test_a_missing_layout_is_filled_in(shards: int | None, digests: bool) -> None:
    """A plan that was written by hand has neither files nor places; its digests are those of the whole."""
    plan = unsealed(make_plan())
    plan.ClearField("files")
    if shards:
        plan.max_shard_bytes = shards
    write_layout(plan, layout_of(plan), {})
    whole = Plan()
    whole.CopyFrom(seal(plan))
    if not digests:
        plan = unsealed(plan)
    plan.ClearField("files")
    for tensor in plan.tensors:
        for name in ("file", "offset", "size"):
            tensor.ClearField(name)
    check_plan(plan, Limits())
    assert plan == whole


def test_a_plan_that_cannot_be_laid_out_names_the_field() -> None:
    plan = unsealed(make_plan())
    plan.ClearField("files")
    plan.tensors[3].dtype = "F31"
    assert [violation.field for violation in failure(plan).violations] == ["tensors[3].dtype"]


def rename(at: int, name: str) -> Callable[[Plan], None]:
    return lambda plan: setattr(plan.tensors[at], "name", name)


CHANGES: dict[str, tuple[Callable[[Plan], object], str, str]] = {
    "generator": (lambda p: setattr(p, "generator", "mt19937"), "generator", "mt19937"),
    "no generator": (lambda p: p.ClearField("generator"), "generator", "unknown"),
    "group": (lambda p: setattr(p.tensors[3], "group", 0), "tensors[3].group", "the plan has 0 groups"),
    "no version": (lambda p: p.ClearField("plan_version"), "plan_version", "required: 1 to 2"),
    "not a number": (
        lambda p: p.groups.groups.add().options.update({"lr": float("nan")}),
        "groups.groups[0].options.lr",
        "finite",
    ),
    "name empty": (rename(0, ""), "tensors[0].name", "empty"),
    "name reserved": (rename(1, "__metadata__"), "tensors[1].name", "reserved"),
    "name twice": (rename(2, "eye"), "tensors[2].name", "twice"),
    "dtype": (lambda p: setattr(p.tensors[3], "dtype", "F31"), "tensors[3].dtype", "F31"),
    "axes": (lambda p: p.tensors[4].shape.extend([1] * (MAX_AXES - 1)), "tensors[4].shape", f"at most {MAX_AXES}"),
    "no fill": (lambda p: p.tensors[5].ClearField("fill"), "tensors[5].fill", "required"),
    "order by dtype": (lambda p: p.tensors.reverse(), "tensors", "file order"),
    "order by name": (rename(1, "zebra"), "tensors", "file order"),
    "literal": (lambda p: p.literals.update({"00": b"x"}), "literals['00']", "SHA-256"),
    "file name": (lambda p: setattr(p.files[1], "name", "../x"), "files[1].name", "../x"),
    "file name of the client": (
        lambda p: setattr(p.files[1], "name", "manifest.json"),
        "files[1].name",
        "manifest.json",
    ),
    "file twice": (lambda p: setattr(p.files[1], "name", "model.safetensors"), "files[1].name", "two files"),
    "another file": (lambda p: p.files.add(name="z.safetensors", size=3), "files", "3 files"),
    "a file before its place": (lambda p: p.files.add(name="a.txt", content=b"", size=0), "files[1]", "a.txt"),
    "weights renamed": (lambda p: setattr(p.files[0], "name", "weights.bin"), "files[0]", "model.safetensors"),
    "size of weights": (lambda p: setattr(p.files[0], "size", 8), "files[0]", "model.safetensors"),
    "size of a small file": (lambda p: setattr(p.files[1], "size", 7), "files[1]", "config.json"),
    "file of a tensor": (lambda p: setattr(p.tensors[6], "file", 1), "tensors[6]", "scalar"),
    "offset": (lambda p: setattr(p.tensors[7], "offset", 3), "tensors[7]", "half"),
    "size": (lambda p: setattr(p.tensors[8], "size", 99), "tensors[8]", "dirac"),
    "shape": (lambda p: p.tensors[8].shape.append(2), "files[0]", "model.safetensors"),
    "shards": (lambda p: setattr(p, "max_shard_bytes", 0), "max_shard_bytes", "1 or more"),
    "shards elsewhere": (lambda p: setattr(p, "max_shard_bytes", 200), "files[0]", "model-00001-of-"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_plan_without_digests_names_the_field(change: str) -> None:
    edit, field, words = CHANGES[change]
    plan = unsealed(make_plan())
    edit(plan)
    error = failure(plan)
    assert (type(error), error.reason) == (PlanError, "INVALID_PLAN")
    assert [v.field for v in error.violations] == [field]
    assert words in error.violations[0].message


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_plan_with_digests_is_told_so_first(change: str) -> None:
    plan = make_plan()
    CHANGES[change][0](plan)
    assert failure(plan).reason == (
        "INVALID_PLAN" if change in ("not a number", "no version") else "PLAN_DIGEST_MISMATCH"
    )


@pytest.mark.parametrize("field", ["plan_digest", "weights_key"])
def test_a_digest_that_is_given_must_be_right(field: str) -> None:
    plan = unsealed(make_plan())
    setattr(plan, field, "0" * 64)
    error = failure(plan)
    assert (error.reason, error.violations[0].field) == ("PLAN_DIGEST_MISMATCH", field)
    assert "0" * 64 in error.violations[0].message
    assert getattr(make_plan(), field) in error.violations[0].message


@pytest.mark.parametrize("version", [3, 1 << 31])
def test_another_version_is_unsupported(version: int) -> None:
    plan = unsealed(make_plan())
    plan.plan_version = version
    error = failure(plan)
    assert (type(error), error.reason) == (Unsupported, "UNSUPPORTED")
    assert f"plan_version is {version}; 1 to 2 are read here" in error.message


def test_an_unknown_kind_of_tensor_is_unsupported() -> None:
    """Enums are open on the wire: a newer contract's value comes as its number."""
    plan = unsealed(make_plan())
    plan.tensors[2].kind = 7  # type: ignore[assignment] # on purpose
    error = failure(plan)
    assert (type(error), error.reason) == (Unsupported, "UNSUPPORTED")
    assert "tensors[2].kind is 7" in error.message


def test_every_bad_tensor_is_told() -> None:
    plan = unsealed(make_plan())
    plan.tensors[0].dtype = "X"
    plan.tensors[2].name = "eye"
    plan.tensors[2].ClearField("fill")
    assert [v.field for v in failure(plan).violations] == ["tensors[0].dtype", "tensors[2].name", "tensors[2].fill"]


def test_generator_torch_has_no_fills() -> None:
    plan = unsealed(make_plan())
    plan.generator = "torch"
    for tensor in plan.tensors:
        tensor.ClearField("fill")
    check_plan(plan, Limits())


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(elements=200), r"has 246 elements \(normal alone has 143\); the limit is 200"),
        (Limits(tensors=8), "has 9 tensors; the limit is 8"),
        (Limits(literal_bytes=23), "has 24 bytes of literal values; the limit is 23"),
    ],
)
def test_limits_are_told_with_both_sides(limits: Limits, words: str) -> None:
    with pytest.raises(LimitExceeded, match=words) as caught:
        check_plan(make_plan(), limits)
    assert (caught.value.reason, caught.value.violations[0].field) == ("TOO_LARGE", "tensors")


def test_what_is_just_within_bounds_passes() -> None:
    plan = unsealed(
        make_plan([("x", (1,) * MAX_AXES, "F32", Constant(0.0)), ("y", (), "F32", Constant(0.0))], max_shard_bytes=1)
    )
    check_plan(plan, Limits())
    assert [file.name for file in plan.files][:2] == [
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
    ]


def test_what_is_just_within_the_limits_passes() -> None:
    check_plan(make_plan(), Limits(elements=246, tensors=9, literal_bytes=24))


def test_a_plan_says_the_version_that_its_fills_need() -> None:
    """Servers write the lowest; a plan whose version is too low for a fill is not valid."""
    plan = unsealed(make_plan())
    fill = plan.tensors[0].fill
    inner = Fill()
    inner.CopyFrom(fill)
    fill.parts.base.broadcast.axes.append(0)
    fill.parts.base.broadcast.fill.CopyFrom(inner)
    with pytest.raises(PlanError) as caught:
        VirtualCheckpoint(plan)
    (violation,) = caught.value.violations
    assert violation.field == "tensors[0].fill"
    assert violation.message == "broadcast needs plan_version 2; the plan says 1"
    fill.pointwise.op = "sine"
    fill.pointwise.operands.append(inner)
    with pytest.raises(PlanError, match="pointwise needs plan_version 2; the plan says 1"):
        VirtualCheckpoint(plan)
    fill.pointwise.op = "cos"
    VirtualCheckpoint(plan)
    plan.plan_version = 2
    fill.pointwise.op = "sine"
    VirtualCheckpoint(plan)
