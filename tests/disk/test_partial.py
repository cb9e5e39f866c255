"""The claim of one run on one directory: who gets it, what it finds there, and what it leaves."""

from __future__ import annotations

import fcntl
import json
import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

import initium
from initium.contract.leaves import LEAF, leaf_digest
from initium.disk.partial import PartialDirectory
from initium.v1.plan_pb2 import Plan
from tests.client.fake import make_plan
from tests.disk.leftovers import FILES, PLACES, PLAN, SIDECAR, header, leave, open_below, piece, record


def prefix(out: Path, plan: Plan = PLAN, force: bool = False) -> tuple[int, int]:
    with PartialDirectory(out, plan, force) as target:
        return target.valid_prefix()


def test_the_sidecar_is_a_line_of_json_and_records(out: Path) -> None:
    with PartialDirectory(out, PLAN, False) as target:
        for file, leaf in reversed(PLACES):
            target.record(file, leaf, leaf_digest(piece(file, leaf)))
        assert target.leaves(0) == [leaf_digest(piece(0, leaf)) for leaf in range(3)]
        assert target.leaves(1) == []
        assert target.leaves(2) == [leaf_digest(piece(2, leaf)) for leaf in range(2)]
    line, newline, records = (out / SIDECAR).read_bytes().partition(b"\n")
    assert line + newline == header()
    assert records == b"".join(record(*place) for place in reversed(PLACES))


@pytest.mark.parametrize(
    ("places", "found"),
    [
        ([], (0, 0)),
        (PLACES[:1], (0, LEAF)),
        (PLACES[:2], (0, 2 * LEAF)),
        (PLACES[:3], (2, 0)),
        (PLACES[:4], (2, LEAF)),
        (PLACES, (3, 0)),
        (PLACES[::-1], (3, 0)),
        (PLACES[1:], (0, 0)),
        ([PLACES[0], *PLACES[2:]], (0, LEAF)),
        ([*PLACES[:3], PLACES[4]], (2, 0)),
    ],
)
def test_a_run_goes_on_behind_the_last_leaf_without_a_gap(
    out: Path, places: list[tuple[int, int]], found: tuple[int, int]
) -> None:
    leave(out, places)
    with PartialDirectory(out, PLAN, False) as target:
        assert target.valid_prefix() == found
        for file in range(len(FILES)):
            known = [(leaf_digest(piece(*place)), place) for place in PLACES if place[0] == file]
            there = [digest if (file, leaf * LEAF) < found else bytes(32) for digest, (_, leaf) in known]
            assert target.leaves(file) == there


def cut(name: str, size: int) -> Callable[[Path], object]:
    return lambda out: os.truncate(out / f"{name}.partial", size)


def overwrite(name: str, offset: int) -> Callable[[Path], object]:
    def change(out: Path) -> None:
        with (out / f"{name}.partial").open("r+b") as stream:
            stream.seek(offset)
            stream.write(b"?")

    return change


def remove(name: str) -> Callable[[Path], object]:
    return lambda out: (out / name).unlink()


def link(name: str) -> Callable[[Path], object]:
    def change(out: Path) -> None:
        (out / f"{name}.partial").rename(out.parent / "elsewhere")
        (out / f"{name}.partial").symlink_to(out.parent / "elsewhere")

    return change


def rename(name: str) -> Callable[[Path], object]:
    """As a run does that is stopped while it gives files their final names."""
    return lambda out: (out / f"{name}.partial").rename(out / name)


def append(data: bytes) -> Callable[[Path], object]:
    return lambda out: (out / SIDECAR).write_bytes((out / SIDECAR).read_bytes() + data)


DAMAGED: dict[str, tuple[Callable[[Path], object], tuple[int, int]]] = {
    "a short file": (cut("a.bin", 2 * LEAF + 3), (0, 2 * LEAF)),
    "a shorter file": (cut("a.bin", LEAF - 1), (0, 0)),
    "a long file": (cut("a.bin", 9 * LEAF), (3, 0)),
    "other bytes": (overwrite("b.bin", LEAF), (2, LEAF)),
    "other bytes first": (overwrite("a.bin", 0), (0, 0)),
    "a file that is gone": (remove("b.bin.partial"), (2, 0)),
    "a link": (link("b.bin"), (2, 0)),
    "a final name": (rename("a.bin"), (3, 0)),
    "half a record": (append(b"\0" * 43), (3, 0)),
    "a record of no file": (append(struct.pack("<IQ32s", 7, 7, b"")), (3, 0)),
    "a newer record": (append(struct.pack("<IQ32s", 2, 0, b"")), (2, 0)),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_what_is_damaged_is_not_built_on(out: Path, name: str) -> None:
    change, found = DAMAGED[name]
    leave(out, PLACES)
    change(out)
    assert prefix(out) == found


def test_half_a_record_does_not_spoil_those_behind_it(out: Path) -> None:
    leave(out, PLACES[:2], header() + record(0, 0) + record(0, 1)[:-1])
    with PartialDirectory(out, PLAN, False) as target:
        assert target.valid_prefix() == (0, LEAF)
        target.record(0, 1, leaf_digest(piece(0, 1)))
    assert (out / SIDECAR).read_bytes() == header() + record(0, 0) + record(0, 1)
    assert prefix(out) == (0, 2 * LEAF)


SIDECARS = {
    "empty": b"",
    "no line": header()[:-1],
    "no JSON": b"{\n",
    "no text": b"\xff\n",
    "no mapping": b"[1]\n",
    "no plan": b"{}\n",
}


@pytest.mark.parametrize("name", SIDECARS)
def test_a_sidecar_that_says_nothing_is_started_over(out: Path, name: str) -> None:
    leave(out, [], SIDECARS[name])
    assert prefix(out) == (0, 0)
    (out / "a.bin.partial").write_bytes(b"")
    (out / SIDECAR).write_bytes(SIDECARS[name])
    with pytest.raises(initium.OutputError, match=r"is not empty \(a.bin.partial\)"):
        PartialDirectory(out, PLAN, False)
    with PartialDirectory(out, PLAN, True):
        assert (out / SIDECAR).read_bytes() == header()


def test_the_unfinished_checkpoint_of_another_plan(out: Path) -> None:
    other = make_plan({"other.bin": b"x" * 5, "a.bin": b"y"})
    leave(out, PLACES)
    reported = f"another plan \\({PLAN.plan_digest}\\); choose another directory, or replace it with --force"
    with pytest.raises(initium.OutputError, match=reported):
        PartialDirectory(out, other, False)
    assert prefix(out) == (3, 0)
    assert prefix(out, other, force=True) == (0, 0)
    assert os.listdir(out) == []


def test_a_sidecar_cannot_have_files_elsewhere_removed(out: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim.partial"
    victim.write_text("mine")
    line = json.dumps({"plan_digest": "another", "files": ["../victim", str(tmp_path / "victim"), "b.bin"]})
    leave(out, PLACES, line.encode() + b"\n")
    with PartialDirectory(out, PLAN, True):
        assert not (out / "b.bin.partial").exists()
        assert (out / "a.bin.partial").exists()
    assert victim.read_text() == "mine"


@pytest.mark.parametrize(
    ("names", "reported"),
    [
        (["x"], "x"),
        (["c", "b", "a"], "a, b, c"),
        (["d", "c", "b", "a"], "a, b, c and 1 more"),
        (["a.bin.partial"], "a.bin.partial"),
        (["manifest.json"], "manifest.json"),
    ],
)
def test_a_directory_that_holds_something_else_is_refused(out: Path, names: list[str], reported: str) -> None:
    out.mkdir()
    for name in names:
        (out / name).touch()
    reported = f"{out} is not empty ({reported}); choose another, or replace it with --force"
    with pytest.raises(initium.OutputError) as caught:
        PartialDirectory(out, PLAN, False)
    assert caught.value.message == reported
    assert sorted(os.listdir(out)) == sorted(names)
    with PartialDirectory(out, PLAN, True):
        pass


def test_beside_a_checkpoint_of_the_same_plan_only_its_own_files_are_welcome(out: Path) -> None:
    leave(out, PLACES)
    for name in ("a.bin", "manifest.json.partial"):
        (out / name).touch()
    (out / "lost+found").mkdir()
    assert prefix(out) == (3, 0)
    for name in ("manifest.json", "notes.txt", "other.partial"):
        (out / name).touch()
        with pytest.raises(initium.OutputError, match=f"is not empty \\({name}\\)"):
            PartialDirectory(out, PLAN, False)
        assert prefix(out, force=True) == (3, 0)
        (out / name).unlink()


def test_one_run_at_a_time(out: Path) -> None:
    with PartialDirectory(out, PLAN, False):
        for force in (False, True):
            with pytest.raises(initium.OutputError, match=f"{out}: another run is writing here; wait for it"):
                PartialDirectory(out, PLAN, force)
    assert prefix(out) == (0, 0)
    assert not open_below(out)


def test_a_refused_claim_leaves_no_handle(out: Path) -> None:
    leave(out, PLACES)
    (out / "foreign").touch()
    with pytest.raises(initium.OutputError):
        PartialDirectory(out, PLAN, False)
    assert not open_below(out)


def test_a_lock_on_a_sidecar_that_is_gone_is_no_claim(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flock = fcntl.flock

    def late(handle: int, how: int) -> None:
        """Another run ends between our opening and our locking."""
        (out / SIDECAR).unlink()
        flock(handle, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(initium.OutputError, match="another run is writing here"):
        PartialDirectory(out, PLAN, False)
    assert not open_below(out)


def test_a_link_in_the_place_of_the_sidecar_is_not_followed(out: Path, tmp_path: Path) -> None:
    out.mkdir()
    (out / SIDECAR).symlink_to(tmp_path / "victim")
    with pytest.raises(initium.OutputError, match="cannot write"):
        PartialDirectory(out, PLAN, True)
    assert not (tmp_path / "victim").exists()


@pytest.mark.parametrize("depth", [1, 3])
def test_a_run_that_wrote_nothing_leaves_nothing(tmp_path: Path, depth: int) -> None:
    path = tmp_path.joinpath(*"abc"[:depth])
    with PartialDirectory(path, PLAN, False) as target:
        target.partial(0).touch()
    assert not path.exists()
    path.mkdir()
    with PartialDirectory(path, PLAN, False):
        pass
    assert os.listdir(path) == []


def test_a_run_that_wrote_something_leaves_it(out: Path) -> None:
    with PartialDirectory(out, PLAN, False) as target:
        target.record(0, 0, bytes(32))
    assert os.listdir(out) == [SIDECAR]
    with PartialDirectory(out, PLAN, False):
        pass
    assert os.listdir(out) == [SIDECAR]


def test_partial_files_are_kept_even_if_no_record_is_there(out: Path) -> None:
    leave(out, PLACES, header())
    assert prefix(out) == (0, 0)
    assert sorted(os.listdir(out)) == ["a.bin.partial", "b.bin.partial", SIDECAR]


def test_what_somebody_else_put_there_meanwhile_stays(out: Path) -> None:
    with PartialDirectory(out, PLAN, False):
        (out / "mine").touch()
    assert os.listdir(out) == ["mine"]


def test_unsafe_names_are_refused_before_anything_is_made(out: Path) -> None:
    with pytest.raises(initium.PlanError, match="is no plain file name"):
        PartialDirectory(out, make_plan({"../x": b""}), False)
    assert not out.exists()
