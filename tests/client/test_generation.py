"""A checkpoint on the disk: what is reported on the way, what is checked in the end, and what the manifest says."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import initium
from initium.contract.leaves import LEAF, file_digest, leaf_digest
from initium.v1 import service_pb2 as pb
from initium.v1.plan_pb2 import PlannedTensor
from tests.client.clock import Clock
from tests.client.conftest import FILES, RECIPE, assert_complete
from tests.client.disks import with_free
from tests.client.fake import FakeServer, Faults, rich_error

TOTAL = sum(map(len, FILES.values()))


def digest_of(data: bytes) -> str:
    return file_digest(len(data), (leaf_digest(data[at : at + LEAF]) for at in range(0, len(data), LEAF)))


def test_progress_is_reported_leaf_by_leaf(
    client: initium.Client, server: FakeServer, tmp_path: Path, reported: list[tuple[int, int]]
) -> None:
    client.generate(server.plan, tmp_path / "out", progress=lambda done, total: reported.append((done, total)))
    a, b = len(FILES["a.safetensors"]), len(FILES["b.safetensors"])
    done = [LEAF, 2 * LEAF, 3 * LEAF, a, a + LEAF, a + b, a + b + 2]
    assert reported == [(count, TOTAL) for count in done]


@pytest.mark.parametrize(("count", "there"), [(0, 0), (2, 2 * LEAF), (4, 3 * LEAF + 17), (5, 4 * LEAF + 17)])
def test_progress_begins_with_what_an_earlier_run_left(
    client: initium.Client,
    server: FakeServer,
    tmp_path: Path,
    reported: list[tuple[int, int]],
    count: int,
    there: int,
) -> None:
    def fail(leaf: int) -> None:
        server.faults.errors = [rich_error(13, "INTERNAL")]

    server.faults = Faults(break_after=[count], on_leaf=fail, errors=[] if count else [rich_error(13, "INTERNAL")])
    with pytest.raises(initium.ServerError):
        client.generate(server.plan, tmp_path / "out")
    server.faults = Faults()
    client.generate(server.plan, tmp_path / "out", progress=lambda done, total: reported.append((done, total)))
    assert_complete(tmp_path / "out")
    assert reported[0] == ((there, TOTAL) if there else (LEAF, TOTAL))
    assert reported[-1] == (TOTAL, TOTAL)
    assert sorted(set(reported)) == reported


def test_the_manifest_says_what_was_written(client: initium.Client, server: FakeServer, tmp_path: Path) -> None:
    manifest = client.generate(RECIPE, tmp_path / "out")
    assert manifest.plan == server.plan
    assert manifest.proto.manifest_version == 1
    assert manifest.proto.server_version == "fake"
    assert [(file.name, file.size, file.digest) for file in manifest.proto.files] == [
        (name, len(data), digest_of(data)) for name, data in FILES.items()
    ]
    assert not manifest.tensor_digests
    assert not server.requests[-1].tensor_digests
    assert initium.Manifest.load(tmp_path / "out") == manifest


def test_digests_of_tensors_come_if_they_are_asked_for(make_server: Callable[..., FakeServer], tmp_path: Path) -> None:
    tensors = [
        PlannedTensor(name="x", dtype="U8", shape=[LEAF], size=LEAF, offset=10),
        PlannedTensor(name="y", dtype="U8", shape=[2], size=2, file=3),
    ]
    server = make_server(tensors=tensors)
    with initium.connect(server.address) as client:
        manifest = client.generate(server.plan, tmp_path / "out", tensor_digests=True)
    assert manifest.tensor_digests == {
        "x": leaf_digest(FILES["a.safetensors"][10 : 10 + LEAF]).hex(),
        "y": leaf_digest(b"{}").hex(),
    }
    assert_complete(tmp_path / "out")


def with_trailer(sent: Iterator[bytes], *files: pb.StreamedFile) -> list[bytes]:
    return [*list(sent)[:-1], pb.GenerateResponse(trailer=pb.GenerateTrailer(files=files)).SerializeToString()]


@pytest.mark.parametrize(
    ("file", "kind", "words"),
    [
        (1, initium.IntegrityError, "b.safetensors: the leaves .* states 00ff; remove the directory"),
        (9, initium.ServerError, "the trailer names file 9; the plan has "),
    ],
)
def test_a_file_of_which_the_server_states_another_digest_is_an_error(
    client: initium.Client, server: FakeServer, tmp_path: Path, file: int, kind: type[Exception], words: str
) -> None:
    right = pb.StreamedFile(file=0, digest=bytes.fromhex(digest_of(FILES["a.safetensors"])))
    wrong = pb.StreamedFile(file=file, digest=b"\x00\xff")
    server.faults.rewrite = lambda sent: with_trailer(sent, right, wrong)
    with pytest.raises(kind, match=words):
        client.generate(server.plan, tmp_path / "out")
    assert not set(FILES) & set(os.listdir(tmp_path / "out"))


def test_files_that_the_trailer_leaves_out_are_not_missed(
    client: initium.Client, server: FakeServer, tmp_path: Path
) -> None:
    server.faults.rewrite = with_trailer
    client.generate(server.plan, tmp_path / "out")
    assert_complete(tmp_path / "out")


def test_a_seed_replaces_the_recipes(client: initium.Client, server: FakeServer, tmp_path: Path) -> None:
    client.generate(RECIPE, tmp_path / "out", seed=9)
    assert server.requests[0].source.recipe.seed == 9
    with pytest.raises(initium.PlanError, match="the plan has seed 1, not 9"):
        client.generate(server.plan, tmp_path / "other", seed=9)


def test_a_plan_without_digests_is_sealed_before_it_is_named(
    client: initium.Client, server: FakeServer, tmp_path: Path
) -> None:
    bare = initium.Plan()
    bare.CopyFrom(server.plan)
    bare.ClearField("plan_digest")
    bare.ClearField("weights_key")
    assert client.generate(bare, tmp_path / "out").plan == server.plan
    assert [request.source.plan_digest.hex() for request in server.requests] == [server.plan.plan_digest]


def test_a_full_disk_is_reported_before_anything_is_asked_for(
    client: initium.Client, server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = with_free(monkeypatch, tmp_path, 7)
    with pytest.raises(initium.OutputError, match=f"{TOTAL} bytes are needed, {free} are free"):
        client.generate(server.plan, tmp_path / "out")
    assert not server.requests


def test_a_finished_checkpoint_is_replaced_only_by_force(
    client: initium.Client, server: FakeServer, tmp_path: Path, clock: Clock
) -> None:
    client.generate(server.plan, tmp_path / "out")
    with pytest.raises(initium.OutputError, match="is not empty"):
        client.generate(server.plan, tmp_path / "out")
    client.generate(server.plan, str(tmp_path / "out"), force=True)
    assert_complete(tmp_path / "out")
