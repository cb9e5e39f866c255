"""Checks of what lies on the disk: against its manifest, and against what its plan gives."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import initium
from initium.contract.leaves import LEAF, Leaf, file_digest, leaf_digest
from initium.disk.verification import describe_place
from initium.plan import open_plan
from initium.v1 import manifest_pb2
from initium.v1.manifest_pb2 import FileDigest
from initium.v1.plan_pb2 import Plan, PlannedTensor
from tests.client.fake import make_plan
from tests.disk.checkpoints import READ_HERE, write_checkpoint
from tests.disk.leftovers import open_below

MODEL = "model.safetensors"


@pytest.fixture
def manifest(tmp_path: Path) -> initium.Manifest:
    return write_checkpoint(tmp_path)


class Drawn:
    """What an `initium.Client` is to `redraw`. `before` runs before each leaf."""

    def __init__(self, before: Callable[[Leaf], object] = lambda leaf: None) -> None:
        self.plans: list[Plan] = []
        self._before = before

    def leaves(self, plan: Plan, /) -> Iterator[Leaf]:
        self.plans.append(plan)
        for leaf in list(open_plan(plan).leaves(1)):
            self._before(leaf)
            yield leaf


def damage(path: Path, offset: int) -> None:
    with path.open("r+b") as stream:
        stream.seek(offset)
        byte = stream.read(1)
        stream.seek(offset)
        stream.write(bytes([byte[0] ^ 0x80]))


def differences(call: Callable[[], object], of: str) -> list[str]:
    with pytest.raises(initium.VerifyError) as caught:
        call()
    assert caught.value.message.endswith(f" differs from its {of}")
    return [str(violation) for violation in caught.value.violations]


def sizes(manifest: initium.Manifest) -> tuple[int, int]:
    model, config = (file.size for file in manifest.plan.files)
    return model, config


def test_verify_reports_its_progress_and_returns_the_manifest(
    manifest: initium.Manifest, tmp_path: Path, reported: list[tuple[int, int]]
) -> None:
    assert initium.verify(tmp_path, lambda done, total: reported.append((done, total))) == manifest
    model, config = sizes(manifest)
    assert reported == [(done, model + config) for done in (LEAF, model, model + config)]
    assert initium.verify(str(tmp_path)) == manifest


def test_verify_takes_links_for_what_they_lead_to(manifest: initium.Manifest, tmp_path: Path) -> None:
    (tmp_path / MODEL).rename(tmp_path / "blob")
    (tmp_path / MODEL).symlink_to(tmp_path / "blob")
    assert initium.verify(tmp_path) == manifest


def test_verify_names_every_file_that_differs(manifest: initium.Manifest, tmp_path: Path) -> None:
    model, config = sizes(manifest)
    damage(tmp_path / MODEL, model - 1)
    os.truncate(tmp_path / "config.json", config - 1)
    first, second = differences(lambda: initium.verify(tmp_path), "manifest")
    digest = manifest.proto.files[0].digest
    assert first.startswith(f"{MODEL}: has digest ")
    assert first.endswith(
        f", the manifest says {digest}; its header is right, so values differ: verify with redraw names the first"
    )
    assert second == f"config.json: has {config - 1} bytes, the manifest says {config}"


def test_verify_goes_on_behind_a_file_that_cannot_be_read(
    manifest: initium.Manifest, tmp_path: Path, reported: list[tuple[int, int]]
) -> None:
    (tmp_path / MODEL).unlink()
    messages = differences(lambda: initium.verify(tmp_path, lambda *done: reported.append(done)), "manifest")
    assert messages == [f"{MODEL}: cannot be read: No such file or directory; its header cannot be read"]
    model, config = sizes(manifest)
    assert reported == [(config, model + config)]


def test_verify_names_the_first_tensor_whose_header_is_wrong(manifest: initium.Manifest, tmp_path: Path) -> None:
    data = (tmp_path / MODEL).read_bytes()
    (tmp_path / MODEL).write_bytes(data.replace(b'"wider"', b'"wyder"'))
    (message,) = differences(lambda: initium.verify(tmp_path), "manifest")
    assert "; its header has None for wider, the plan {'dtype': 'F32', 'shape': [300000], " in message


@pytest.mark.parametrize("how", ["in this process", "by a client"])
def test_redraw_reports_its_progress_and_returns_the_manifest(
    manifest: initium.Manifest, tmp_path: Path, reported: list[tuple[int, int]], how: str
) -> None:
    client = Drawn() if how == "by a client" else None
    assert initium.redraw(tmp_path, client, lambda done, total: reported.append((done, total)), threads=1) == manifest
    model, config = sizes(manifest)
    assert reported == [(done, model + config) for done in (LEAF, model, model + config)]
    assert client is None or client.plans == [manifest.plan]
    assert initium.redraw(str(tmp_path)) == manifest


def test_redraw_names_the_first_byte_of_the_first_file(manifest: initium.Manifest, tmp_path: Path) -> None:
    first = manifest.plan.tensors[0]
    for offset in (sizes(manifest)[0] - 1, first.offset + 4 * 7 + 2):
        damage(tmp_path / MODEL, offset)
    damage(tmp_path / "config.json", 0)
    place = f"differs first at byte {first.offset + 30}: tensor wide, element 7 (index [1, 2])"
    assert differences(lambda: initium.redraw(tmp_path, Drawn()), "plan") == [f"{MODEL}: {place}"]


def test_redraw_names_a_byte_in_any_leaf_and_file(manifest: initium.Manifest, tmp_path: Path) -> None:
    last = sizes(manifest)[0] - 1
    damage(tmp_path / MODEL, last)
    (message,) = differences(lambda: initium.redraw(tmp_path, Drawn()), "plan")
    assert message == f"{MODEL}: differs first at byte {last}: tensor bytes, element 5 (index [1, 2])"
    damage(tmp_path / MODEL, last)
    damage(tmp_path / "config.json", 3)
    (message,) = differences(lambda: initium.redraw(tmp_path, Drawn()), "plan")
    reported = "differs first at byte 3, outside of all tensors (in the header, index or a small file)"
    assert message == f"config.json: {reported}"


@pytest.mark.parametrize("by", [-1, 1])
def test_redraw_looks_at_sizes_before_it_draws(manifest: initium.Manifest, tmp_path: Path, by: int) -> None:
    client = Drawn()
    _, size = sizes(manifest)
    os.truncate(tmp_path / "config.json", size + by)
    (message,) = differences(lambda: initium.redraw(tmp_path, client), "plan")
    assert message == f"config.json: has {size + by} bytes, the plan gives {size}"
    (tmp_path / "config.json").unlink()
    (message,) = differences(lambda: initium.redraw(tmp_path, client), "plan")
    assert message == "config.json: cannot be read: No such file or directory"
    assert not client.plans


def test_a_file_that_shrinks_meanwhile_differs_where_it_ends(manifest: initium.Manifest, tmp_path: Path) -> None:
    def shrink(leaf: Leaf) -> None:
        if (leaf.file, leaf.offset) == (0, LEAF):
            os.truncate(tmp_path / MODEL, LEAF + 10)

    (message,) = differences(lambda: initium.redraw(tmp_path, Drawn(shrink)), "plan")
    assert message.startswith(f"{MODEL}: differs first at byte {LEAF + 10}: tensor wider, element ")


def test_a_file_that_goes_away_meanwhile_cannot_be_read(manifest: initium.Manifest, tmp_path: Path) -> None:
    def remove(leaf: Leaf) -> None:
        (tmp_path / "config.json").unlink(missing_ok=True)

    (message,) = differences(lambda: initium.redraw(tmp_path, Drawn(remove)), "plan")
    assert message == "config.json: cannot be read: No such file or directory"


def test_files_without_bytes_are_no_hindrance(tmp_path: Path) -> None:
    class Given:
        def leaves(self, plan: Plan, /) -> Iterator[Leaf]:
            yield Leaf(1, 0, leaf_digest(b"abc"), memoryview(b"abc"))
            yield Leaf(3, 0, leaf_digest(b"d"), memoryview(b"d"))

    files = {"empty": b"", "x": b"abc", "none": b"", "y": b"d"}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    digests = [
        FileDigest(name=name, size=len(data), digest=file_digest(len(data), [leaf_digest(data)] if data else []))
        for name, data in files.items()
    ]
    initium.Manifest(manifest_pb2.Manifest(**READ_HERE, plan=make_plan(files), files=digests)).save(tmp_path)
    initium.redraw(tmp_path, Given())
    initium.verify(tmp_path)
    damage(tmp_path / "y", 0)
    (message,) = differences(lambda: initium.redraw(tmp_path, Given()), "plan")
    assert message.startswith("y: differs first at byte 0")


def test_redraw_leaves_no_file_open(manifest: initium.Manifest, tmp_path: Path) -> None:
    initium.redraw(tmp_path)
    damage(tmp_path / "config.json", 0)
    differences(lambda: initium.redraw(tmp_path, Drawn()), "plan")
    assert not open_below(tmp_path)


def test_files_that_are_right_may_have_a_wrong_manifest(manifest: initium.Manifest, tmp_path: Path) -> None:
    right = manifest.proto.files[1].digest
    manifest.proto.files[1].digest = "0" * 64
    manifest.save(tmp_path)
    assert differences(lambda: initium.redraw(tmp_path, Drawn()), "plan") == [
        f"config.json: is right and has digest {right}, but the manifest says {'0' * 64}"
    ]


PLACED = Plan(
    tensors=[
        PlannedTensor(name="matrix", shape=[2, 3, 4], dtype="F32", offset=100, size=96),
        PlannedTensor(name="none", shape=[0], dtype="F32", offset=196),
        PlannedTensor(name="scalar", dtype="F64", offset=200, size=8),
        PlannedTensor(name="other", shape=[5], dtype="U8", file=1, offset=100, size=5),
    ]
)


@pytest.mark.parametrize(
    ("file", "offset", "words"),
    [
        (0, 99, "differs first at byte 99, outside of all tensors (in the header, index or a small file)"),
        (0, 100, "differs first at byte 100: tensor matrix, element 0 (index [0, 0, 0])"),
        (0, 103, "differs first at byte 103: tensor matrix, element 0 (index [0, 0, 0])"),
        (0, 104, "differs first at byte 104: tensor matrix, element 1 (index [0, 0, 1])"),
        (0, 195, "differs first at byte 195: tensor matrix, element 23 (index [1, 2, 3])"),
        (0, 196, "differs first at byte 196, outside of all tensors (in the header, index or a small file)"),
        (0, 207, "differs first at byte 207: tensor scalar, element 0 (index [])"),
        (1, 103, "differs first at byte 103: tensor other, element 3 (index [3])"),
        (2, 103, "differs first at byte 103, outside of all tensors (in the header, index or a small file)"),
    ],
)
def test_places_in_words(file: int, offset: int, words: str) -> None:
    assert describe_place(PLACED, file, offset) == words
