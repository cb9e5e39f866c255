"""What each method answers, and each way in which it refuses, over a real channel and without processes."""

from __future__ import annotations

import contextlib
import itertools
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from importlib.metadata import version
from pathlib import Path
from typing import Any

import grpc
import pytest
import torch
from blake3 import blake3

from initium.contract.leaves import LEAF, file_digest, leaf_digest
from initium.errors import RecipeError, Violation
from initium.plan.checkpoint import VirtualCheckpoint
from initium.plan.limits import Limits
from initium.v1 import service_pb2 as pb
from initium.v1.plan_pb2 import Plan
from initium.v1.recipe_pb2 import Recipe
from initium_server.planning.initializers import INITIALIZERS
from initium_server.rpc.settings import Settings
from initium_server.workers import JobLimits
from tests.rpc.calls import RECIPE, Serving, failure, recipe, serving, source

WEIGHTS = "model.safetensors"


def resolve(served: Serving, given: Recipe | None = None) -> Plan:
    plan: Plan = served.stub.Resolve(pb.ResolveRequest(source=source(given))).plan
    return plan


def named(served: Serving) -> pb.PlanSource:
    """The plan of the recipe, by its digest."""
    return source(plan_digest=bytes.fromhex(resolve(served).plan_digest))


def generate(served: Serving, plan: Plan | None = None, **fields: Any) -> list[Any]:
    named = source(plan=plan) if plan else source()
    return list(served.stub.Generate(pb.GenerateRequest(source=named, **fields)))


def start(file: int, offset: int) -> pb.Position:
    return pb.Position(file=file, offset=offset)


# Resolve


def test_a_recipe_a_plan_and_a_digest_resolve_to_one_plan(served: Serving) -> None:
    by_recipe = served.stub.Resolve(pb.ResolveRequest(source=source()))
    plan = by_recipe.plan
    assert [tensor.name for tensor in plan.tensors] == ["a", "b", "c", "d"]
    assert plan.plan_digest
    assert by_recipe.total_bytes == sum(file.size for file in plan.files) > 0
    for named in (source(plan=plan), source(plan_digest=bytes.fromhex(plan.plan_digest))):
        assert served.stub.Resolve(pb.ResolveRequest(source=named)) == by_recipe
    assert served.pool.ran == {"resolve": 1}


TEXT = json.dumps(RECIPE).encode()


def test_the_text_of_a_recipe_is_the_recipe(served: Serving) -> None:
    wanted = resolve(served)
    for text in (TEXT, b"\xef\xbb\xbf# a comment, in YAML\n" + TEXT):
        assert served.stub.Resolve(pb.ResolveRequest(source=source(recipe_text=text))).plan == wanted
    assert served.pool.ran == {"resolve": 1, "read": 2}
    listed = served.stub.ListTensors(pb.ListTensorsRequest(recipe_text=TEXT))
    assert [tensor.name for tensor in listed.tensors] == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("text", "fields", "words"),
    [
        (b"", [""], "the text is empty"),
        (b"a: [", [""], "the text is not valid YAML 1.2 or JSON"),
        (b"\xff", [""], "the recipe is not UTF-8: byte 0 is 0xff"),
        (b"client/examples/mlp.yaml", [""], "a recipe is a mapping, not text"),
        (b"seed: 1\nseed: 2", [""], "the text is not valid YAML 1.2 or JSON"),
        (b"{seed: 1, maxSeed: 2}", ["maxSeed"], ""),
        (TEXT.replace(b'"seed": ', b'"dtype": "F31", "seed": '), ["dtype"], ""),
        (b"init: {rules: [{match: {path: []}}]}", ["init.rules[0].match.path"], ""),
        (b"{}", ["seed"], ""),
    ],
)
def test_text_is_read_strictly(served: Serving, text: bytes, fields: list[str], words: str) -> None:
    error = failure(lambda: served.stub.Resolve(pb.ResolveRequest(source=source(recipe_text=text))))
    assert (error.code, error.reason) == ("INVALID_ARGUMENT", "INVALID_RECIPE")
    prefix = "source.recipe_text"
    assert {".".join(filter(None, (prefix, field))) for field in fields} <= set(error.fields), error.fields
    assert words in error.message
    assert ("line" in error.metadata) == ("not valid YAML" in words)


def test_long_errors_in_any_script_keep_their_reason(served: Serving) -> None:
    """gRPC drops trailers beyond its soft limit at random."""
    words = "\N{CYRILLIC SMALL LETTER YA}" * 2000
    served.pool.fail = RecipeError(words, violations=[Violation(f"a{i}", words) for i in range(20)])
    for _ in range(100):
        error = failure(lambda: served.stub.Resolve(pb.ResolveRequest(source=source())))
        assert (error.code, error.reason) == ("INVALID_ARGUMENT", "INVALID_RECIPE")


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.ResolveRequest(), "source"),
        (pb.ResolveRequest(source=pb.PlanSource()), "source"),
        (pb.ResolveRequest(source=source(plan_digest=b"0" * 64)), "source.plan_digest"),
        (pb.ResolveRequest(source=source(plan_digest=b"0" * 31)), "source.plan_digest"),
        (pb.ResolveRequest(source=source(plan_digest=b"")), "source.plan_digest"),
        (pb.ResolveRequest(source=source(weights_key=b"0" * 33)), "source.weights_key"),
    ],
)
def test_a_request_that_says_too_little(served: Serving, request_: pb.ResolveRequest, field: str) -> None:
    error = failure(lambda: served.stub.Resolve(request_))
    assert (error.code, error.reason, error.fields) == ("INVALID_ARGUMENT", "INVALID_REQUEST", [field])


METHODS = {method.name: method for method in pb.DESCRIPTOR.services_by_name["InitiumService"].methods}


def raw(directory: Path, method: str, request: bytes) -> Callable[[], Any]:
    """A call of any method with these bytes."""

    def call() -> Any:
        streams = "stream" if METHODS[method].server_streaming else "unary"
        with grpc.insecure_channel(f"unix:{directory}/s") as channel:
            if METHODS[method].client_streaming:
                return channel.stream_unary(f"/initium.v1.InitiumService/{method}")(iter([request]))
            answer = getattr(channel, f"unary_{streams}")(f"/initium.v1.InitiumService/{method}")(request)
            return list(answer) if METHODS[method].server_streaming else answer

    return call


@pytest.mark.parametrize("method", METHODS)
def test_bytes_that_are_no_message_are_malformed(served: Serving, tmp_path: Path, method: str) -> None:
    error = failure(raw(tmp_path, method, b"\xff" * 9))
    assert (error.code, error.reason) == ("INVALID_ARGUMENT", "MALFORMED_MESSAGE")
    assert "initium.v1." in error.message


NEWER = b"\xca\x30\x01x"
"""Field 777 with one byte."""


@pytest.mark.parametrize("method", [name for name in METHODS if name != "GetCapabilities"])
def test_a_newer_request_is_refused(served: Serving, tmp_path: Path, method: str) -> None:
    error = failure(raw(tmp_path, method, NEWER))
    assert (error.code, error.reason, error.fields) == ("UNIMPLEMENTED", "UNSUPPORTED", [""])


@pytest.mark.parametrize("method", ["Resolve", "DownloadPlan", "Generate", "Read"])
def test_a_newer_contract_is_refused_with_the_path(served: Serving, tmp_path: Path, method: str) -> None:
    """A key that is dropped in silence would widen a rule."""
    given = recipe()
    given.init.rules[0].match.MergeFromString(NEWER)
    plan = resolve(served)
    plan.tensors[2].fill.MergeFromString(NEWER)
    request = getattr(pb, f"{method}Request")
    cases = {
        "source.recipe.init.rules[0].match": request(source=source(given)),
        "source.plan.tensors[2].fill": request(source=source(plan=plan)),
    }
    for path, message in cases.items():
        error = failure(raw(tmp_path, method, message.SerializeToString()))
        assert (error.code, error.reason, error.fields) == ("UNIMPLEMENTED", "UNSUPPORTED", [path])


def test_capabilities_are_for_every_client(served: Serving) -> None:
    """They are how a client learns what a server knows."""
    assert served.stub.GetCapabilities(pb.GetCapabilitiesRequest.FromString(NEWER)).limits.leaf_bytes == LEAF


def test_an_answer_beyond_the_limit_is_too_large(tmp_path: Path) -> None:
    with serving(tmp_path, Settings(limits=Limits(message_bytes=150))) as served:
        calls: list[Callable[[], Any]] = [
            lambda: served.stub.Resolve(pb.ResolveRequest(source=source())),
            lambda: served.stub.Generate(pb.GenerateRequest(source=source())),
            lambda: served.stub.ListTensors(pb.ListTensorsRequest(recipe=recipe())),
        ]
        for call in calls:
            error = failure(call)
            assert (error.code, error.reason) == ("RESOURCE_EXHAUSTED", "TOO_LARGE")
            assert (error.metadata["limit"], error.metadata["max"]) == ("message_bytes", "150")
            assert error.metadata["remedy"] in error.message
        pieces = served.stub.DownloadPlan(pb.DownloadPlanRequest(source=source()))
        plan = Plan.FromString(b"".join(answer.piece.data for answer in pieces))
        digest = bytes.fromhex(plan.plan_digest)
        request = pb.GenerateRequest(source=source(plan_digest=digest), without_plan=True)
        assert len(list(served.stub.Generate(request))) > 2, "the remedies help"


def test_an_error_of_the_recipe_comes_as_it_was_raised(served: Serving) -> None:
    given = recipe()
    given.ClearField("seed")
    error = failure(lambda: served.stub.Resolve(pb.ResolveRequest(source=source(given))))
    assert (error.code, error.reason, error.fields) == ("INVALID_ARGUMENT", "INVALID_RECIPE", ["source.recipe.seed"])


def test_a_bug_shows_the_client_nothing_of_the_server(served: Serving, caplog: pytest.LogCaptureFixture) -> None:
    served.pool.fail = KeyError("/secret/path")
    error = failure(lambda: served.stub.Resolve(pb.ResolveRequest(source=source())))
    assert (error.code, error.reason) == ("INTERNAL", "INTERNAL")
    assert "secret" not in error.message
    assert "/secret/path" in caplog.text


def test_a_client_that_went_away_is_cancelled_and_no_bug(served: Serving, caplog: pytest.LogCaptureFixture) -> None:
    served.pool.fail = CancelledError()
    assert failure(lambda: served.stub.Resolve(pb.ResolveRequest(source=source()))).code == "CANCELLED"
    assert caplog.text == ""


def test_a_job_asks_whether_its_client_is_still_there(served: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, gone = threading.Event(), threading.Event()

    def run(job: Any, argument: bytes, cancelled: Any, modules: Any) -> bytes:
        assert not cancelled()
        asked.set()
        while not cancelled():
            gone.wait(0.01)
        gone.set()
        raise CancelledError

    monkeypatch.setattr(served.pool, "run", run)
    call = served.stub.Resolve.future(pb.ResolveRequest(source=source()))
    assert asked.wait(10)
    call.cancel()
    assert gone.wait(10)


# Generate


def test_a_stream_is_header_leaves_and_trailer(served: Serving) -> None:
    plan = resolve(served)
    header, *chunks, told, last = generate(served, plan, tensor_digests=True)
    assert header.header.plan == plan
    assert header.header.total_bytes == sum(file.size for file in plan.files)
    assert header.header.server_version == version("initium")
    assert (header.header.leaf_bytes, header.header.digest_function) == (LEAF, "BLAKE3")
    bare = generate(served, plan, without_plan=True)[0].header
    assert not bare.HasField("plan")
    assert bare.plan_digest == header.header.plan_digest == bytes.fromhex(plan.plan_digest)
    assert all(message.WhichOneof("message") == "chunk" for message in chunks)
    data = b"".join(message.chunk.data for message in chunks)
    checkpoint = VirtualCheckpoint(plan)
    assert data == checkpoint.read(WEIGHTS)
    assert [message.chunk.offset for message in chunks] == list(range(0, len(data), LEAF))
    assert all(message.chunk.digest == leaf_digest(message.chunk.data) for message in chunks)
    (file,) = last.trailer.files
    leaves = [data[at : at + LEAF] for at in range(0, len(data), LEAF)]
    assert (file.file, file.digest.hex()) == (0, file_digest(len(data), map(leaf_digest, leaves)))
    own = {i: blake3(data[t.offset : t.offset + t.size]).digest() for i, t in enumerate(plan.tensors)}
    assert {tensor.tensor: tensor.digest for tensor in told.tensors.tensors} == own


def test_tensor_digests_come_only_if_asked_for(served: Serving) -> None:
    assert not any(message.HasField("tensors") for message in generate(served))


def test_every_place_to_start_gives_the_rest_and_the_digests_of_what_came_whole(served: Serving) -> None:
    given = recipe(output={"max_shard_bytes": 1_300_000})
    plan = resolve(served, given)
    assert len(plan.files) == 3  # two shards and their index
    everything = [(m.chunk.file, m.chunk.offset) for m in generate(served, plan)[1:-1]]
    ends = [(i, file.size) for i, file in enumerate(plan.files)]
    for file, offset in [*everything, *ends]:
        _, *chunks, told, last = generate(served, plan, start=start(file, offset), tensor_digests=True)
        places = [(m.chunk.file, m.chunk.offset) for m in chunks]
        assert places == [place for place in everything if place >= (file, offset)]
        whole = [i for i in range(len(plan.files)) if (i, 0) >= (file, offset)]
        assert [f.file for f in last.trailer.files] == whole
        came = {i for i, t in enumerate(plan.tensors) if not t.size or (t.file, t.offset) >= (file, offset)}
        assert {t.tensor for t in told.tensors.tensors} == came


@pytest.mark.parametrize(
    ("position", "reason", "fields", "metadata"),
    [
        (start(0, 1), "INVALID_REQUEST", ["start.offset"], {}),
        (start(0, LEAF + 1), "INVALID_REQUEST", ["start.offset"], {}),
        (start(0, 1 << 40), "OUT_OF_RANGE", [], {"size": "SIZE"}),
        (start(1, 1), "OUT_OF_RANGE", [], {"file_count": "1"}),
        (start(2, 0), "OUT_OF_RANGE", [], {"file_count": "1"}),
    ],
)
def test_a_start_that_is_no_place(
    served: Serving, position: pb.Position, reason: str, fields: list[str], metadata: dict[str, str]
) -> None:
    size = str(resolve(served).files[0].size)
    error = failure(lambda: served.stub.Generate(pb.GenerateRequest(source=named(served), start=position)))
    assert (error.reason, error.fields) == (reason, fields)
    assert error.metadata == {key: value.replace("SIZE", size) for key, value in metadata.items()}


def test_a_recipe_is_not_gone_on_with(served: Serving) -> None:
    """It may resolve to another plan than before."""
    for given in (source(), source(recipe_text=TEXT)):
        request = pb.GenerateRequest(source=given, start=start(0, LEAF))
        error = failure(lambda request=request: served.stub.Generate(request))
        assert (error.reason, error.fields) == ("INVALID_REQUEST", ["start"])


def test_the_end_is_a_place_to_start(served: Serving) -> None:
    plan = resolve(served)
    header, trailer = generate(served, plan, start=start(1, 0))
    assert header.HasField("header")
    assert not trailer.trailer.files


@pytest.mark.parametrize("given", [{}, {"recipe_text": b"{}"}], ids=str)
def test_ranges_are_read_from_a_plan(served: Serving, given: dict[str, Any]) -> None:
    error = failure(lambda: served.stub.Read(pb.ReadRequest(source=source(**given), file_name=WEIGHTS)))
    assert (error.code, error.reason, error.fields) == ("INVALID_ARGUMENT", "INVALID_REQUEST", ["source"])
    assert "call Resolve" in error.message


def test_an_unknown_digest_says_to_send_the_plan(served: Serving) -> None:
    digest = b"\xab" * 32
    for call in (
        lambda: served.stub.Generate(pb.GenerateRequest(source=source(plan_digest=digest))),
        lambda: served.stub.Read(pb.ReadRequest(source=source(plan_digest=digest), file_name=WEIGHTS)),
        lambda: served.stub.Resolve(pb.ResolveRequest(source=source(plan_digest=digest))),
    ):
        error = failure(call)
        assert (error.code, error.reason, error.metadata) == ("NOT_FOUND", "PLAN_NOT_FOUND", {})
        assert error.message == f"this server does not hold the plan with plan_digest {digest.hex()}; send the plan"


# Read


def read(served: Serving, offset: int, length: int | None) -> bytes:
    request = pb.ReadRequest(source=named(served), file_name=WEIGHTS, offset=offset, length=length)
    data = b""
    for piece in served.stub.Read(request):
        assert piece.offset == offset + len(data)
        assert piece.digest == leaf_digest(piece.data)
        assert len(piece.data) <= LEAF - piece.offset % LEAF
        data += piece.data
    return data


def test_any_range_comes_in_pieces_that_end_at_leaves(served: Serving) -> None:
    whole = VirtualCheckpoint(resolve(served)).read(WEIGHTS)
    edges = [0, 1, 7, LEAF - 1, LEAF, LEAF + 1, len(whole) - 1, len(whole)]
    for offset, length in itertools.product(edges, [0, 1, LEAF, len(whole), 1 << 50, None]):
        expected = whole[offset:] if length is None else whole[offset : offset + length]
        assert read(served, offset, length) == expected


def test_what_cannot_be_read(served: Serving) -> None:
    error = failure(lambda: served.stub.Read(pb.ReadRequest(source=named(served), file_name="x")))
    assert (error.code, error.reason, error.metadata) == ("NOT_FOUND", "FILE_NOT_FOUND", {"file_count": "1"})
    error = failure(lambda: served.stub.Read(pb.ReadRequest(source=named(served), file_name=WEIGHTS, offset=1 << 40)))
    assert (error.code, error.reason) == ("OUT_OF_RANGE", "OUT_OF_RANGE")


def test_generator_torch_is_neither_read_nor_resumed(served: Serving) -> None:
    plan = resolve(served)
    plan.generator = "torch"
    for field in ("plan_digest", "weights_key"):
        plan.ClearField(field)
    for tensor in plan.tensors:
        tensor.ClearField("fill")
    error = failure(lambda: served.stub.Read(pb.ReadRequest(source=source(plan=plan), file_name=WEIGHTS)))
    assert (error.code, error.reason) == ("UNIMPLEMENTED", "UNSUPPORTED")
    request = pb.GenerateRequest(source=source(plan=plan), start=start(0, LEAF))
    error = failure(lambda: served.stub.Generate(request))
    assert (error.reason, error.fields) == ("INVALID_REQUEST", ["start"])


# Bounds

BIG: dict[str, Any] = {
    "architecture": {"tensors": {"tensors": [{"name": "x", "shape": [1 << 26]}]}},
    "init": {"rules": [{"match": {"every": True}, "zeros": {}}]},
}
"""More than a connection buffers."""


def test_streams_beyond_the_bound_are_asked_to_come_back(tmp_path: Path) -> None:
    with serving(tmp_path, Settings(threads=1, streams=2)) as served:
        request = pb.GenerateRequest(source=source(recipe(**BIG)))
        running = [served.stub.Generate(request) for _ in range(2)]
        for stream in running:
            next(stream)
        for call in (
            lambda: served.stub.Generate(request),
            lambda: served.stub.Read(pb.ReadRequest(source=named(served), file_name=WEIGHTS)),
        ):
            error = failure(call)
            assert (error.code, error.reason, error.retry_seconds) == ("RESOURCE_EXHAUSTED", "BUSY", 1)
        assert resolve(served).plan_digest, "short calls are still answered"
        for _ in running[0]:
            pass
        assert generate(served), "a stream that has ended makes room"


def test_a_stream_that_fails_makes_room(tmp_path: Path) -> None:
    with serving(tmp_path, Settings(streams=1)) as served:
        for _ in range(3):
            error = failure(lambda: served.stub.Read(pb.ReadRequest(source=named(served), file_name="x")))
            assert error.reason == "FILE_NOT_FOUND"


def test_a_stream_that_is_cancelled_makes_room(tmp_path: Path) -> None:
    with serving(tmp_path, Settings(streams=1)) as served:
        stream = served.stub.Generate(pb.GenerateRequest(source=source(recipe(**BIG))))
        next(stream)
        stream.cancel()
        deadline = time.monotonic() + 30
        while not answered(served):
            assert time.monotonic() < deadline, "the slot stays taken"


def answered(served: Serving) -> bool:
    """Whether a stream is not refused."""
    with contextlib.suppress(grpc.RpcError):
        return bool(generate(served))
    return False


# GetCapabilities


def test_capabilities_are_those_of_the_settings(tmp_path: Path) -> None:
    settings = Settings(
        threads=3,
        limits=Limits(message_bytes=1 << 20, elements=11, tensors=12, literal_bytes=13, whole_elements=14),
        build=JobLimits(15, 16),
    )
    with serving(tmp_path, settings) as served:
        found = served.stub.GetCapabilities(pb.GetCapabilitiesRequest())
    assert (found.server_version, found.plan_version) == (version("initium"), 2)
    assert (found.device, found.backend, found.threads) == ("cpu", "numba", 3)
    assert list(found.generators) == ["stream-v1", "torch"]
    assert list(found.dtypes) == ["F64", "F32", "BF16", "F16", "F8_E4M3", "F8_E5M2"]
    assert list(found.initializers) == [*INITIALIZERS, "library_default", "stored"]
    assert found.libraries["torch"] == version("torch")
    assert {"timm", "torchvision", "transformers"} <= set(found.libraries)
    assert "Conv2d" in found.module_types
    assert list(found.module_types) == sorted(found.module_types)
    assert {"SGD", "AdamW"} <= set(found.optimizers)
    environment = found.torch_environment
    assert (environment["torch"], environment["device"], environment["threads"]) == (torch.__version__, "cpu", "3")
    assert {"device_model", "cpu_capability"} < set(environment)
    assert found.oldest_plan_version == 1
    assert {"normal", "orthogonal", "norm_of"} < set(found.fill_kinds)
    assert {"module", "none_of", "every"} < set(found.selector_keys)
    assert {"head", "buffer"} < set(found.roles)
    limits = found.limits
    assert (limits.message_bytes, limits.leaf_bytes) == (1 << 20, LEAF)
    assert (limits.elements, limits.tensors, limits.literal_bytes, limits.whole_elements) == (11, 12, 13, 14)
    assert (limits.build_seconds, limits.build_bytes, limits.module_depth) == (15, 16, 24)
    assert (limits.plan_bytes, limits.page_size) == (256 << 20, 1000)
    assert all(getattr(limits, field.name) for field in limits.DESCRIPTOR.fields), "every limit is told"
