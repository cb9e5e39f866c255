"""The manifest as a document, and the groups in it without torch: what is read, refused, matched and reported."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct

import initium
from initium.contract.plans import check_digests
from initium.v1 import manifest_pb2
from initium.v1.plan_pb2 import Group, Plan, PlannedGroups, PlannedTensor
from tests.client.fake import make_plan
from tests.disk.checkpoints import READ_HERE

CONTENT = {"model.safetensors": b"abcde", "config.json": b"{}"}
FILES = [(name, len(data)) for name, data in CONTENT.items()]


def make_manifest(**fields: Any) -> initium.Manifest:
    files = [manifest_pb2.FileDigest(name=name, size=size, digest=f"{size:02x}") for name, size in FILES]
    defaults: dict[str, Any] = {
        **READ_HERE,
        "plan": make_plan(CONTENT),
        "files": files,
        "server_version": "0.1\u00e9",
    }
    return initium.Manifest(manifest_pb2.Manifest(**(defaults | fields)))


def test_the_file_is_the_canonical_form(tmp_path: Path) -> None:
    manifest = make_manifest(plan=Plan(), files=[manifest_pb2.FileDigest(size=2, name="x")])
    text = '{"digest_function":"BLAKE3","files":[{"name":"x","size":"2"}],"leaf_bytes":1048576,"manifest_version":1,'
    text += '"plan":{},"server_version":"0.1\u00e9"}'
    assert manifest.to_bytes() == text.encode()
    manifest.save(str(tmp_path))
    assert (tmp_path / "manifest.json").read_bytes() == manifest.to_bytes()
    with pytest.raises(initium.OutputError, match=r"cannot write .*missing"):
        manifest.save(tmp_path / "missing")


def test_a_manifest_is_read_from_its_directory_or_its_file(tmp_path: Path) -> None:
    manifest = make_manifest()
    manifest.save(tmp_path)
    (tmp_path / "manifest.json").rename(tmp_path / "other.json")
    assert initium.Manifest.load(tmp_path / "other.json") == initium.Manifest.load(str(tmp_path / "other.json"))
    assert initium.Manifest.load(tmp_path / "other.json").proto == manifest.proto
    with pytest.raises(initium.ManifestError) as caught:
        initium.Manifest.load(tmp_path)
    missing = tmp_path / "manifest.json"
    assert (
        caught.value.message == f"cannot read {missing}: No such file or directory; an unfinished checkpoint has none"
    )


def test_a_notebook_shows_a_line_or_a_table() -> None:
    manifest = make_manifest()
    text = repr(manifest)
    assert text.startswith("<Manifest of plan ")
    assert len(text) < 100
    assert manifest._repr_html_().startswith("<table><caption>Manifest</caption>")
    assert manifest.plan.plan_digest in manifest._repr_html_()


def refusal(directory: Path, content: bytes) -> initium.ManifestError:
    (directory / "manifest.json").write_bytes(content)
    with pytest.raises(initium.ManifestError) as caught:
        initium.Manifest.load(directory)
    assert caught.value.message.startswith(f"{directory / 'manifest.json'}")
    return caught.value


@pytest.mark.parametrize(
    ("content", "reported"),
    [
        (b"", "is not a manifest: "),
        (b"\xff", "is not a manifest: "),
        (b"[" * 100_000, "is not a manifest: "),
        (b"[]", "is not a manifest: it has no manifest_version"),
        (b"{}", "is not a manifest: it has no manifest_version"),
        (b'{"manifest_version": "1"}', "is not a manifest: it has no manifest_version"),
        (b'{"manifest_version": 1, "extra": 1}', "is not a manifest: "),
        (b'{"manifest_version": 1, "files": 1}', "is not a manifest: "),
        (b'{"manifest_version": -1}', "is not a manifest: "),
    ],
)
def test_what_is_no_manifest(tmp_path: Path, content: bytes, reported: str) -> None:
    assert reported in refusal(tmp_path, content).message


def test_a_newer_manifest_is_reported_as_such_whatever_it_holds(tmp_path: Path) -> None:
    file = tmp_path / "manifest.json"
    reported = f"{file}: manifest_version 2 is newer than this client reads (1); upgrade initium"
    for more in ({}, {"plan": {"plan_version": 9, "shape": "round"}, "signature": "x"}):
        assert refusal(tmp_path, json.dumps({"manifest_version": 2} | more).encode()).message == reported


@pytest.mark.parametrize(
    ("plan", "reported"),
    [
        (make_plan({}), "files: the plan has no files; resolve the recipe again"),
        (
            make_plan({"../x": b""}),
            "files[0].name: '../x' is no plain file name, or the client's own",
        ),
    ],
)
def test_a_plan_that_cannot_be_written_is_not_verified_either(tmp_path: Path, plan: Plan, reported: str) -> None:
    error = refusal(tmp_path, make_manifest(plan=plan).to_bytes())
    assert error.message == f"{tmp_path / 'manifest.json'}: its plan is not valid"
    assert [str(violation) for violation in error.violations] == [reported]
    assert error.reason == "INVALID_PLAN"


def test_a_plan_that_was_changed_is_reported(tmp_path: Path) -> None:
    plan = make_plan(CONTENT)
    right = plan.plan_digest
    plan.seed = 4
    error = refusal(tmp_path, make_manifest(plan=plan).to_bytes())
    file = tmp_path / "manifest.json"
    assert error.message == f"{file}: the plan was changed after it was written; resolve the recipe again"
    assert error.reason == "PLAN_DIGEST_MISMATCH"
    assert [str(v) for v in error.violations] == [
        f"plan_digest: the plan says {right}, its content has {check_digests_of(plan)}"
    ]


def check_digests_of(plan: Plan) -> str:
    bare = Plan()
    bare.CopyFrom(plan)
    bare.plan_digest = bare.weights_key = ""
    return check_digests(bare)[0]


def without(name: str) -> Plan:
    plan = make_plan(CONTENT)
    plan.ClearField(name)
    return plan


def listed(*files: tuple[str, int]) -> dict[str, Any]:
    return {"files": [manifest_pb2.FileDigest(name=name, size=size) for name, size in files]}


UNPROVEN: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no version": ({"plan": make_plan(CONTENT, plan_version=0)}, ["plan.plan_version: is missing"]),
    "no digest": ({"plan": without("plan_digest")}, ["plan.plan_digest: is missing"]),
    "no key": ({"plan": without("weights_key")}, ["plan.weights_key: is missing"]),
    "no files": (listed(), ["files: the manifest lists 0 files, its plan 2"]),
    "a file less": (listed(FILES[0]), ["files: the manifest lists 1 file, its plan 2"]),
    "a file more": (listed(*FILES, ("x", 1)), ["files: the manifest lists 3 files, its plan 2"]),
    "another size": (
        listed(FILES[0], ("config.json", 3)),
        ["config.json: listed as config.json of 3 bytes, but the plan has config.json of 2"],
    ),
    "another name and one less": (
        listed(("x", 5)),
        [
            "x: listed as x of 5 bytes, but the plan has model.safetensors of 5",
            "files: the manifest lists 1 file, its plan 2",
        ],
    ),
}


@pytest.mark.parametrize("name", UNPROVEN)
def test_a_manifest_must_say_enough_to_prove_something(tmp_path: Path, name: str) -> None:
    fields, reported = UNPROVEN[name]
    error = refusal(tmp_path, make_manifest(**fields).to_bytes())
    assert error.message == f"{tmp_path / 'manifest.json'} proves nothing; generate the checkpoint again"
    assert [str(violation) for violation in error.violations] == reported


@dataclass
class Parameter:
    """What is asked of one."""

    shape: tuple[int, ...] = (2, 3)
    requires_grad: bool = True


def tensor(name: str, **fields: Any) -> PlannedTensor:
    defaults: dict[str, Any] = {"shape": [2, 3], "kind": "TENSOR_KIND_PARAMETER", "trainable": True}
    return PlannedTensor(name=name, **(defaults | fields))


TENSORS = [
    tensor("a", aliases=["tied.a", "twice.a"]),
    tensor("b"),
    tensor("frozen", trainable=False, shape=[4]),
    tensor("mean", kind="TENSOR_KIND_BUFFER", trainable=False),
]


def grouped(**options: Any) -> initium.Manifest:
    struct = Struct()
    struct.update(options)
    groups = [Group(name="first", options=struct, tensors=["b"]), Group(name="second", tensors=["a"])]
    plan = make_plan(CONTENT, tensors=TENSORS, groups=PlannedGroups(optimizer="AdamW", groups=groups))
    return make_manifest(plan=plan)


def model(**changes: Any) -> dict[str, Parameter]:
    """The parameters of a model that fits, with changes; None takes one away."""
    parameters = {"a": Parameter(), "b": Parameter(), "frozen": Parameter((4,), False)} | changes
    return {name: parameter for name, parameter in parameters.items() if parameter is not None}


def test_groups_have_their_parameters_names_and_options() -> None:
    parameters = model()
    manifest = grouped(lr=1, nesterov=True)
    assert manifest.param_groups(parameters.items()) == [
        {"params": [("b", parameters["b"])], "name": "first", "lr": 1.0, "nesterov": True},
        {"params": [("a", parameters["a"])], "name": "second"},
    ]
    assert manifest.optimizer == "AdamW"
    assert manifest.frozen == ["frozen"]
    lists: Any = [[name, parameter] for name, parameter in parameters.items()]
    assert manifest.param_groups(lists)
    assert make_manifest().optimizer == ""


OPTIONS: dict[str, tuple[Any, Any]] = {
    "lr": (1, 1.0),
    "eps": (1e-8, 1e-8),
    "betas": ([0, 0.5], (0.0, 0.5)),
    "nested": ([[1], "x"], ((1.0,), "x")),
    "foreach": (None, None),
    "fused": (False, False),
    "mode": ("fan_in", "fan_in"),
    "ns_steps": (5, 5),
    "max_iter": (20.0, 20),
    "max_eval": (25, 25),
    "history_size": (100, 100),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_options_come_in_the_types_that_torch_wants(name: str) -> None:
    given, wanted = OPTIONS[name]
    found = grouped(**{name: given}).param_groups(model().items())[0][name]
    assert repr(found) == repr(wanted)


def disagreements(**changes: Any) -> list[str]:
    with pytest.raises(initium.ManifestError) as caught:
        grouped().param_groups(model(**changes).items())
    assert caught.value.message == "the model's parameters are not those of the manifest"
    return [str(violation) for violation in caught.value.violations]


DISAGREEMENTS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "shape": ({"a": Parameter((3, 2))}, ["a: has shape [3, 2] in the model, [2, 3] in the manifest"]),
    "scalar": ({"a": Parameter(())}, ["a: has shape [] in the model, [2, 3] in the manifest"]),
    "frozen": (
        {"b": Parameter(requires_grad=False)},
        [
            "b: has requires_grad=False in the model, but the manifest trains it; "
            "set it, or freeze it in the recipe"
        ],
    ),
    "trained": (
        {"frozen": Parameter((4,), True)},
        [
            "frozen: has requires_grad=True in the model, but the manifest freezes it; "
            "call requires_grad_(False) first"
        ],
    ),
    "missing": ({"frozen": None}, ["frozen: is in the manifest but not in the model"]),
    "unknown": ({"c": Parameter()}, ["c: is in the model but not in the manifest"]),
    "a buffer": ({"mean": Parameter()}, ["mean: is in the model but not in the manifest"]),
    "not tied": (
        {"twice.a": Parameter()},
        [
            "twice.a: is the same tensor as a in the manifest, but another parameter in the model; tie them",
        ],
    ),
    "both": (
        {"b": Parameter((1,), False), "frozen": None, "x": Parameter()},
        [
            "b: has shape [1] in the model, [2, 3] in the manifest",
            "b: has requires_grad=False in the model, but the manifest trains it; set it, or freeze it in the recipe",
            "x: is in the model but not in the manifest",
            "frozen: is in the manifest but not in the model",
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DISAGREEMENTS)
def test_every_disagreement_is_reported_with_both_sides(name: str) -> None:
    changes, reported = DISAGREEMENTS[name]
    assert disagreements(**changes) == reported


def test_a_tied_parameter_may_come_under_any_of_its_names_and_under_all() -> None:
    one = Parameter()
    for names in (["a"], ["tied.a"], ["twice.a", "a"], ["a", "tied.a", "twice.a"]):
        changes = {"a": None} | dict.fromkeys(names, one)
        order = sorted(model(**changes).items(), key=lambda item: names.index(item[0]) if item[0] in names else -1)
        assert grouped().param_groups(order)[1]["params"] == [(names[0], one)]
    assert disagreements(a=None, **{"tied.a": Parameter((1,))}) == [
        "tied.a: has shape [1] in the model, [2, 3] in the manifest"
    ]


@pytest.mark.parametrize("given", [None, 3, [Parameter()], [("a", Parameter(), 1)], [(1, Parameter())], ["ab"]])
def test_what_is_no_list_of_named_parameters(given: Any) -> None:
    reported = r"these are not pairs of name and parameter; pass model.named_parameters\(\)"
    with pytest.raises(initium.ManifestError, match=reported):
        grouped().param_groups(given)


Read = Callable[[Path], object]


@pytest.mark.parametrize("read", [initium.Manifest.load, initium.verify, initium.redraw])
def test_nothing_is_read_of_a_directory_without_a_manifest(tmp_path: Path, read: Read) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"abcde")
    with pytest.raises(initium.ManifestError, match="an unfinished checkpoint has none"):
        read(tmp_path)
