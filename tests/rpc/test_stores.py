"""Stores over the wire: what lies in them is loaded, served at any byte, and never another tensor's bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf import json_format
from safetensors.numpy import load, save_file

from initium.contract.leaves import LEAF
from initium.contract.plans import sealed
from initium.v1 import service_pb2 as pb
from initium.v1.plan_pb2 import Plan
from initium.v1.recipe_pb2 import Recipe
from initium_server.rpc.settings import Settings
from tests.rpc.calls import Serving, failure, serving, source

W = np.arange(600_000, dtype=np.float32).reshape(600, 1000)
B = np.arange(1000, dtype=np.float32) + 0.5


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    """A store with a checkpoint of bare tensors."""
    folder = tmp_path / "zoo"
    folder.mkdir()
    save_file({"w": W, "b": B}, folder / "model.safetensors")
    return folder


@pytest.fixture
def served(tmp_path: Path, zoo: Path) -> Iterator[Serving]:
    with serving(tmp_path, Settings(threads=2, stores={"zoo": str(zoo)})) as result:
        yield result


def recipe(seed: int = 1, dtype: str = "", **fields: Any) -> Recipe:
    """Two tensors that are loaded, the matrix transposed, and one that is drawn."""
    tensors = [{"name": "w", "shape": [1000, 600]}, {"name": "b", "shape": [1000]}, {"name": "head", "shape": [7]}]
    rules = [
        {"match": {"path": ["head"]}, "normal": {}},
        {"match": {"every": True}, "stored": {"from": "zoo", "transpose": True} | fields},
    ]
    data = {"architecture": {"tensors": {"tensors": tensors}}, "seed": seed, "dtype": dtype, "init": {"rules": rules}}
    return json_format.ParseDict(data, Recipe())


def resolve(served: Serving, given: Recipe | None = None) -> Plan:
    return served.stub.Resolve(pb.ResolveRequest(source=source(given or recipe()))).plan  # type: ignore[no-any-return]


def generated(served: Serving, plan: Plan) -> bytes:
    messages = list(served.stub.Generate(pb.GenerateRequest(source=source(plan=plan))))
    return b"".join(message.chunk.data for message in messages if message.HasField("chunk"))


def test_a_checkpoint_holds_what_was_loaded(served: Serving) -> None:
    plan = resolve(served)
    made = load(generated(served, plan))
    assert (made["w"] == W.T).all()
    assert (made["b"] == B).all()
    assert made["head"].std() > 0
    assert [(each.rule, getattr(each, "from"), each.loaded) for each in plan.loads] == [("init.rules[1]", "zoo", 2)]


def test_any_range_has_the_same_bytes(served: Serving) -> None:
    """Promises 2 and 8: read at odd places, and resumed at every leaf."""
    plan = resolve(served)
    whole = generated(served, plan)
    for offset, length in ((0, 5), (len(whole) - 3, 3), (4097, 10_001), (LEAF - 1, 2), (2 * LEAF + 1, LEAF)):
        request = pb.ReadRequest(source=source(plan=plan), file_name="model.safetensors", offset=offset, length=length)
        assert b"".join(piece.data for piece in served.stub.Read(request)) == whole[offset : offset + length]
    for leaf in range(1, len(whole) // LEAF + 1):
        start = pb.Position(offset=leaf * LEAF)
        messages = served.stub.Generate(pb.GenerateRequest(source=source(plan=plan), start=start))
        assert b"".join(each.chunk.data for each in messages if each.HasField("chunk")) == whole[leaf * LEAF :]


def test_another_dtype_is_rounded(served: Serving) -> None:
    plan = resolve(served, recipe(dtype="F16"))
    made = load(generated(served, plan))
    assert (made["b"] == B.astype(np.float16)).all()
    assert made["w"].max() == np.finfo(np.float16).max, "what is too large saturates"


def test_the_next_plan_sees_what_lies_there_then(served: Serving, zoo: Path) -> None:
    """And the plan of before is an error, whoever it is sent to: not one other byte is served."""
    before = resolve(served)
    save_file({"w": W + 1, "b": B}, zoo / "model.safetensors")
    after = resolve(served)
    assert (load(generated(served, after))["w"] == (W + 1).T).all()
    failed = failure(lambda: list(served.stub.Generate(pb.GenerateRequest(source=source(plan=before)))))
    assert (failed.code, failed.reason) == ("FAILED_PRECONDITION", "STORE_MISMATCH")
    assert before.plan_digest != after.plan_digest
    assert before.weights_key != after.weights_key


def test_a_seed_changes_what_is_drawn_alone(served: Serving) -> None:
    one, two = (load(generated(served, resolve(served, recipe(seed)))) for seed in (1, 2))
    assert (one["w"] == two["w"]).all()
    assert (one["head"] != two["head"]).any()


def by_value(served: Serving, **fields: str) -> Plan:
    """The plan of the recipe, with another place or digest for the vector."""
    plan = resolve(served)
    tensor = next(tensor for tensor in plan.tensors if tensor.name == "b")
    for name, value in fields.items():
        setattr(tensor.fill.stored, name, value)
    plan.ClearField("plan_digest")
    plan.ClearField("weights_key")
    return sealed(plan)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"store": "other"}, "NOT_IN_STORE"),
        ({"file": "../secret.safetensors"}, "NOT_IN_STORE"),
        ({"file": "/etc/passwd"}, "NOT_IN_STORE"),
        ({"file": "link.safetensors"}, "NOT_IN_STORE"),
        ({"tensor": "v"}, "NOT_IN_STORE"),
        ({"tensor": "w"}, "STORE_MISMATCH"),
        ({"digest": hashlib.sha256(b"").hexdigest()}, "STORE_MISMATCH"),
        ({"digest": "x"}, "INVALID_PLAN"),
    ],
)
def test_a_plan_by_value_gets_no_other_bytes(
    served: Serving, zoo: Path, tmp_path: Path, fields: dict[str, str], reason: str
) -> None:
    save_file({"w": W, "b": B}, tmp_path / "secret.safetensors")
    (zoo / "link.safetensors").symlink_to(tmp_path / "secret.safetensors")
    plan = by_value(served, **fields)
    request = pb.ReadRequest(source=source(plan=plan), file_name="model.safetensors", offset=1000, length=500)
    failed = failure(lambda: served.stub.Read(request))
    assert failed.reason == reason
    if reason != "STORE_MISMATCH" or "tensor" in fields:
        at = [tensor.name for tensor in plan.tensors].index("b")
        assert failed.fields == [f"source.plan.tensors[{at}].fill"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("../zoo", "INVALID_RECIPE"),
        ("zoo/../../etc/passwd", "INVALID_RECIPE"),
        ("zoo//etc/passwd", "INVALID_RECIPE"),
        ("zoo/gone", "NOT_IN_STORE"),
        ("other/model", "NOT_IN_STORE"),
    ],
)
def test_a_recipe_reaches_nothing_else(served: Serving, text: str, reason: str) -> None:
    failed = failure(lambda: resolve(served, recipe(**{"from": text})))
    assert (failed.reason, failed.fields) == (reason, ["source.recipe.init.rules[1].stored.from"])


def test_a_server_without_the_store_says_so(served: Serving, tmp_path: Path) -> None:
    plan = resolve(served)
    (tmp_path / "other").mkdir()
    with serving(tmp_path / "other") as other:
        failed = failure(lambda: other.stub.Generate(pb.GenerateRequest(source=source(plan=plan))))
        assert failed.reason == "NOT_IN_STORE"
        assert "there is no store 'zoo' here" in failed.message


def test_names_of_stores_are_told_and_no_places(served: Serving, tmp_path: Path) -> None:
    answer = served.stub.GetCapabilities(pb.GetCapabilitiesRequest())
    assert list(answer.stores) == ["zoo"]
    assert "stored" in answer.fill_kinds
    assert "stored" in answer.initializers
    assert str(tmp_path).encode() not in answer.SerializeToString()
