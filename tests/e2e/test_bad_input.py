"""Bad input gets a clear error with the path of the field, and leaves the server serving (promises 4 and 5)."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

import initium
from initium import errors
from initium.v1 import fill_pb2, recipe_pb2, service_pb2, service_pb2_grpc
from tests.e2e.servers import EXAMPLES, ServerProcess, initium_command

RESNET = {"library": {"source": "torchvision", "name": "resnet18"}}
NORM = {"type": "BatchNorm1d", "args": {"num_features": 4}}
TREE: dict[str, Any] = {"modules": {"root": {"type": "Sequential", "children": [{"type": "ReLU"}, NORM]}}}
GROUPS = {"optimizer": "SGD", "defaults": {"lr": 0.1}}


def base(**changes: Any) -> dict[str, Any]:
    return {"architecture": TREE, "seed": 1} | copy.deepcopy(changes)


def library(**changes: Any) -> dict[str, Any]:
    return base(architecture={"library": RESNET["library"] | changes})


def rule(match: dict[str, Any], **initializer: Any) -> dict[str, Any]:
    return base(init={"rules": [{"match": match} | initializer]})


def node(**changes: Any) -> dict[str, Any]:
    return base(architecture={"modules": {"root": {"type": "Sequential", "children": [changes]}}})


LINEAR_NO_BIAS = {"type": "Linear", "args": {"in_features": 4, "out_features": 4, "bias": False}}
TIED: dict[str, Any] = {
    "modules": {
        "root": {
            "declare": "Net",
            "children": [
                {"name": "embed", "type": "Embedding", "args": {"num_embeddings": 8, "embedding_dim": 4}},
                {"name": "head", "type": "Linear", "args": {"in_features": 4, "out_features": 8, "bias": False}},
            ],
        },
        "ties": [{"tensor": "head.weight", "to": "embed.weight"}],
    }
}
TWO_WAYS = [
    {"match": {"module": ["Embedding"]}, "normal": {}},
    {"match": {"module": ["Linear"]}, "zeros": {}},
]
ALL = {"every": True}
HUGE = {
    "source": "transformers",
    "name": "AutoModelForCausalLM",
    "config": {"model_type": "gpt2", "n_embd": 12 * 10**7},
}

CASES: dict[str, tuple[dict[str, Any], str, str]] = {
    "unknown source": (library(source="torchvisoin"), "architecture.library.source", "torchvision"),
    "unknown model": (library(name="resnet5"), "architecture.library.name", "resnet50"),
    "unknown argument": (library(args={"num_class": 3}), "architecture.library.args.num_class", "num_classes"),
    "weights": (library(args={"weights": "DEFAULT"}), "architecture.library.args.weights", "weights"),
    "bad argument value": (library(args={"num_classes": "ten"}), "architecture.library.args", "type str"),
    "unknown class": (node(type="Liner"), "architecture.modules.root.children[0].type", "Linear"),
    "lazy class": (node(type="LazyLinear"), "architecture.modules.root.children[0].type", "Linear"),
    "unknown module argument": (
        node(type="Linear", args={"in_feature": 4, "out_features": 4}),
        "architecture.modules.root.children[0].args.in_feature",
        "in_features",
    ),
    "missing module argument": (
        node(type="Linear", args={"in_features": 4}),
        "architecture.modules.root.children[0]",
        "out_features",
    ),
    "unknown selector key": (rule({"paths": ["x"]}, zeros={}), "init.rules[0].match.paths", "path"),
    "unknown initializer": (rule(ALL, kaiming_norml={}), "init.rules[0].kaiming_norml", "kaiming_normal"),
    "unknown argument of one": (rule(ALL, normal={"stdev": 1}), "init.rules[0].normal.stdev", "std"),
    "nothing matches": (rule({"path": ["nope"]}, zeros={}), "init.rules[0]", "matches no tensor"),
    "xavier on 1-D": (rule(ALL, xavier_normal={}), "init.rules[0].xavier_normal", "1.weight"),
    "kaiming on 1-D": (rule(ALL, kaiming_uniform={}), "init.rules[0].kaiming_uniform", "1.weight"),
    "negative std": (rule(ALL, normal={"std": -0.1}), "init.rules[0].normal", "-0.1"),
    "infinite std": (rule(ALL, normal={"std": float("inf")}), "init.rules[0].normal", "finite"),
    "a above b": (rule(ALL, trunc_normal={"a": 3, "b": 2}), "init.rules[0].trunc_normal", "3"),
    "bias rule without bias": (
        node(**LINEAR_NO_BIAS) | {"init": {"rules": [{"match": {"tensor": ["bias"]}, "zeros": {}}]}},
        "init.rules[0]",
        "matches no tensor",
    ),
    "tied two ways": (base(architecture=TIED, init={"rules": TWO_WAYS}), "init.rules[1]", "ties: first"),
    "no seed": ({"architecture": TREE}, "seed", "required"),
    "negative seed": (base(seed=-1), "seed", "2^64-1"),
    "seed above uint64": (base(seed=2**64), "seed", "2^64-1"),
    "unknown generator": (base(generator="mt19937"), "generator", "stream-v1"),
    "unknown dtype": (base(dtype="FP32"), "dtype", "BF16"),
    "no shards": (base(output={"max_shard_bytes": 0}), "output.max_shard_bytes", "1 or more"),
    "no architecture": ({"seed": 1}, "architecture", "library"),
    "unknown optimizer": (base(groups=GROUPS | {"optimizer": "Adm"}), "groups.optimizer", "Adam"),
    "unknown option": (base(groups=GROUPS | {"defaults": {"lrr": 1}}), "groups.defaults.lrr", "lr"),
    "numbers out of range": (rule({"tensor": ["weight"]}, normal={"std": 1e300}), "init.rules[0].normal", "1e+300"),
    "gain out of range": (
        node(**LINEAR_NO_BIAS) | {"init": {"rules": [{"match": ALL, "kaiming_normal": {"a": 1e200}}]}},
        "init.rules[0].kaiming_normal",
        "range",
    ),
    "nothing representable": (
        rule({"tensor": ["weight"]}, uniform={"a": 1.0001, "b": 1.0002}) | {"dtype": "BF16"},
        "init.rules[0].uniform",
        "BF16",
    ),
    "draws in an integer buffer": (rule({"role": ["buffer"]}, normal={}), "init.rules[0].normal", "I64"),
    "unknown class in a selector": (
        rule({"module": ["BatchNormld"]}, zeros={}),
        "init.rules[0].match.module",
        "BatchNorm1d",
    ),
    "reserved tensor name": (
        base(
            architecture={"tensors": {"tensors": [{"name": "__metadata__", "shape": [2]}]}},
            init={"rules": [{"match": ALL, "zeros": {}}]},
        ),
        "architecture",
        "__metadata__",
    ),
    "blocks too deep": (
        base(
            architecture={
                "modules": {
                    "root": {"use": "b0"},
                    "blocks": {f"b{i}": {"use": f"b{i + 1}"} for i in range(2000)} | {"b2000": {"type": "ReLU"}},
                }
            }
        ),
        "architecture.modules",
        "deep",
    ),
    "factor out of range": (
        base(
            groups={
                "optimizer": "SGD",
                "defaults": {"lr": 1e308},
                "adjust": [{"match": ALL, "scale": {"lr": 10}}],
            }
        ),
        "groups.adjust[0].scale.lr",
        "finite",
    ),
    "option out of range": (base(groups=GROUPS | {"defaults": {"lr": -1}}), "groups", "-1"),
    "too many elements": (base(architecture={"library": HUGE}), "architecture", "elements"),
    "bare duplicate": (
        base(architecture={"tensors": {"tensors": [{"name": "x", "shape": [2]}] * 2}}),
        "architecture.tensors.tensors[1].name",
        "x",
    ),
    "bare without rule": (
        base(architecture={"tensors": {"tensors": [{"name": "x", "shape": [2]}]}}),
        "init",
        "add a rule",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_recipes(case: str, client: initium.Client, tmp_path: Path) -> None:
    recipe, field, text = CASES[case]
    with pytest.raises(errors.InitiumError) as caught:
        client.generate(recipe, tmp_path / "out")
    told = [(v.field, v.message) for v in caught.value.violations] or [("", str(caught.value))]
    assert any(f.startswith(field) and text in f"{f} {m}" for f, m in told), told
    assert "Traceback" not in str(caught.value)
    assert not (tmp_path / "out" / "model.safetensors").exists()
    assert client.resolve(base()).plan_digest


def raw(address: str, recipe: recipe_pb2.Recipe | bytes) -> grpc.RpcError:
    """The error that a client gets that checks nothing itself."""
    with grpc.insecure_channel(address) as channel:
        call = channel.unary_unary("/initium.v1.InitiumService/Resolve")
        source = service_pb2.PlanSource(recipe=recipe) if isinstance(recipe, recipe_pb2.Recipe) else None
        data = service_pb2.ResolveRequest(source=source).SerializeToString() if source else recipe
        with pytest.raises(grpc.RpcError) as caught:
            call(data, timeout=60)
        return caught.value


def details(error: grpc.RpcError) -> tuple[error_details_pb2.ErrorInfo, error_details_pb2.BadRequest]:
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in rpc_status.from_call(error).details:
        for message in (info, bad):
            if detail.Is(message.DESCRIPTOR):
                detail.Unpack(message)
    return info, bad


def test_a_module_tree_100_000_deep(server_address: str, client: initium.Client) -> None:
    """Refused by its depth on both sides; never a crash."""
    text = '{"architecture": {"modules": {"root": ' + '{"children": [' * 100_000 + "]}" * 100_000 + "}}}"
    with pytest.raises(errors.RecipeError, match=r"deep|nest"):
        client.resolve(text)
    inner = b""
    for _ in range(3_000):  # by hand, since no protobuf library writes such a message
        inner = b"\x32" + _varint(len(inner)) + inner
    error = raw(server_address, _nested(inner))
    assert details(error)[0].reason == "MALFORMED_MESSAGE"
    assert client.resolve(base()).plan_digest


def _varint(value: int) -> bytes:
    from initium_server.rpc.framing import varint

    return varint(value)


def _nested(module: bytes) -> bytes:
    """A ResolveRequest with this root module."""
    for tag in (b"\x0a", b"\x12", b"\x0a", b"\x0a", b"\x0a"):  # root, modules, architecture, recipe, source
        module = tag + _varint(len(module)) + module
    return module


def test_a_module_tree_beyond_the_limit_names_it(client: initium.Client) -> None:
    tree: dict[str, Any] = {"type": "ReLU"}
    for _ in range(25):
        tree = {"type": "Sequential", "children": [tree]}
    with pytest.raises(errors.RecipeError, match="24"):
        client.resolve(base(architecture={"modules": {"root": tree}}))


def test_garbage_is_malformed(server_address: str) -> None:
    error = raw(server_address, b"\xff" * 100)
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    info, _ = details(error)
    assert (info.reason, info.domain) == ("MALFORMED_MESSAGE", errors.DOMAIN)


def test_at_most_twenty_violations_then_a_count(server_address: str) -> None:
    recipe = recipe_pb2.Recipe(seed=1)
    recipe.architecture.modules.root.type = "ReLU"
    for _ in range(50):
        recipe.init.rules.add()
    info, bad = details(raw(server_address, recipe))
    assert len(bad.field_violations) <= 20
    assert int(info.metadata["omitted_violations"]) + len(bad.field_violations) >= 50


def test_the_generated_stub_reads_hand_framed_chunks(server_address: str) -> None:
    """Any language's stub can: here Python's own."""
    recipe = initium.load_recipe(base())
    with grpc.insecure_channel(server_address) as channel:
        stub = service_pb2_grpc.InitiumServiceStub(channel)
        request = service_pb2.GenerateRequest(source=service_pb2.PlanSource(recipe=recipe), tensor_digests=True)
        header, *chunks, told, _ = stub.Generate(request)
    assert header.WhichOneof("message") == "header"
    assert sum(len(c.chunk.data) for c in chunks) == header.header.total_bytes
    assert [t.tensor for t in told.tensors.tensors] == list(range(len(header.header.plan.tensors)))


def test_a_changed_plan_is_refused(client: initium.Client) -> None:
    plan = client.resolve(base())
    plan.seed += 1
    with pytest.raises(errors.InitiumError, match=r"digest|changed"):
        client.resolve(plan)


PLAN_CHANGES: dict[str, Any] = {
    "tensors": lambda plan: plan.tensors[0].shape.append(2**63),
    "dtype": lambda plan: setattr(plan.tensors[0], "dtype", "F31"),
    "fill": lambda plan: plan.tensors[0].ClearField("fill"),
    "std": lambda plan: plan.tensors[0].fill.normal.CopyFrom(fill_pb2.NormalFill(mean="0x0p+0", std="-0x1p+0")),
    "float": lambda plan: plan.tensors[0].fill.normal.CopyFrom(fill_pb2.NormalFill(mean="0", std="0.1")),
    "file name": lambda plan: plan.files.add(name="../evil", content=b"x", size=1),
    "layout": lambda plan: setattr(plan.tensors[0], "offset", 3),
    "version": lambda plan: setattr(plan, "plan_version", 99),
    "generator": lambda plan: setattr(plan, "generator", "x"),
    "literal": lambda plan: plan.literals.update({"00": b"x"}),
    "no literal": lambda plan: plan.tensors[0].fill.literal.CopyFrom(fill_pb2.LiteralFill(digest="00")),
    "twice": lambda plan: plan.tensors.append(plan.tensors[0]),
}


@pytest.mark.parametrize("change", PLAN_CHANGES)
def test_bad_plans(change: str, client: initium.Client, server_address: str) -> None:
    """A plan from outside is checked in full, even one that carries no digest."""
    plan = client.resolve(base())
    plan.ClearField("plan_digest")
    plan.ClearField("weights_key")
    PLAN_CHANGES[change](plan)
    request = service_pb2.ResolveRequest(source=service_pb2.PlanSource(plan=plan))
    info, _ = details(raw(server_address, request.SerializeToString()))
    assert info.reason in ("INVALID_PLAN", "TOO_LARGE", "UNSUPPORTED")


def test_numbers_that_json_cannot_write(server_address: str) -> None:
    recipe = initium.load_recipe(base(groups=GROUPS))
    recipe.groups.defaults["lr"] = float("nan")
    _, bad = details(raw(server_address, recipe))
    assert [v.field for v in bad.field_violations] == ["source.recipe.groups.defaults.lr"]


def test_slow_readers_do_not_hold_every_thread(client: initium.Client, server_address: str) -> None:
    """Promise 5: streams beyond the limit are told to come back, and health is still answered."""
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    plan = client.resolve(EXAMPLES / "gpt2.yaml")
    source = service_pb2.PlanSource(plan_digest=bytes.fromhex(plan.plan_digest))
    with grpc.insecure_channel(server_address) as channel:
        stub = service_pb2_grpc.InitiumServiceStub(channel)
        idle = [stub.Generate(service_pb2.GenerateRequest(source=source)) for _ in range(64)]
        for stream in idle:
            next(stream)
        with pytest.raises(grpc.RpcError) as caught:
            next(stub.Generate(service_pb2.GenerateRequest(source=source)))
        assert details(caught.value)[0].reason == "BUSY"
        health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
        assert health.status == health_pb2.HealthCheckResponse.SERVING
        for stream in idle:
            stream.cancel()
    assert client.resolve(base()).plan_digest


def test_an_offset_past_the_end(client: initium.Client) -> None:
    plan = client.resolve(base())
    size = plan.files[0].size
    assert client.read(plan, plan.files[0].name, size) == b""
    with pytest.raises(errors.OutOfRange, match=str(size)):
        client.read(plan, plan.files[0].name, size + 1)
    with pytest.raises(errors.FileNotFound, match=r"model\.safetensors"):
        client.read(plan, "nope")


def test_an_unknown_plan_digest(client: initium.Client) -> None:
    with pytest.raises(errors.PlanNotFound, match="send the plan"):
        client.read("0" * 64, "model.safetensors")


def test_a_full_disk(tcp_server: ServerProcess, tmp_path: Path) -> None:
    """A file size limit stands for the full disk: the write fails in the middle."""
    limit = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (20 << 20,) * 2); "
    code = (
        limit
        + "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); import initium.cli as c; sys.exit(c.main())"
    )
    command = ["generate", EXAMPLES / "resnet50.yaml", "-o", tmp_path / "out", "--server", tcp_server.address]
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, command)], capture_output=True, text=True, env=os.environ
    )
    assert done.returncode in (1, 2), done.stderr
    assert "model.safetensors" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out" / "model.safetensors").exists()
    initium_command(*command)


def test_a_plan_of_another_seed_is_refused_by_the_command(tcp_server: ServerProcess, tmp_path: Path) -> None:
    plan, server = tmp_path / "plan.json", ("--server", tcp_server.address)
    initium_command("plan", EXAMPLES / "mlp.yaml", "-o", plan, *server)
    done = initium_command("generate", plan, "-o", tmp_path / "out", "--seed", "99", *server, check=False)
    assert done.returncode == 2
    assert "seed" in done.stderr


def test_a_port_that_is_taken(tcp_server: ServerProcess) -> None:
    done = initium_command("serve", "--listen", tcp_server.address, check=False)
    assert done.returncode == 2
    assert "cannot listen" in done.stderr
