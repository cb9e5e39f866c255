"""Before the first leaf there must be space, and after the last one every file gets its name."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

import initium
from initium.contract.leaves import LEAF
from initium.disk.partial import PartialDirectory
from tests.client.disks import with_free
from tests.disk.leftovers import FILES, PLAN, SIDECAR, leave

TOTAL = sum(map(len, FILES.values()))


@pytest.mark.parametrize(
    ("start", "there"),
    [((0, 0), 0), ((0, LEAF), LEAF), ((2, 0), 2 * LEAF + 4), ((2, LEAF), 3 * LEAF + 4), ((3, 0), TOTAL)],
)
def test_the_rest_must_fit_on_the_disk(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: tuple[int, int], there: int
) -> None:
    needed = TOTAL - there
    with PartialDirectory(out, PLAN, False) as target:
        with_free(monkeypatch, tmp_path, needed, 1)
        target.check_space(start)
        if needed:
            with_free(monkeypatch, tmp_path, needed - 1, 1)
            reported = f"{out}: {needed} bytes are needed, {needed - 1} are free; free some or choose another disk"
            with pytest.raises(initium.OutputError) as caught:
                target.check_space(start)
            assert caught.value.message == reported


def test_a_file_that_is_reserved_larger_than_planned_saves_no_more_than_its_size(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(out, [])
    with (out / "a.bin.partial").open("wb") as stream:
        os.posix_fallocate(stream.fileno(), 0, 8 * LEAF)
    with PartialDirectory(out, PLAN, False) as target:
        with_free(monkeypatch, tmp_path, LEAF + 1, 1)
        target.check_space((0, 0))
        with_free(monkeypatch, tmp_path, LEAF, 1)
        with pytest.raises(initium.OutputError):
            target.check_space((0, 0))


def commit(out: Path, manifest: bytes = b"new", force: bool = False) -> None:
    """A run that has written everything."""
    with PartialDirectory(out, PLAN, force) as target:
        for file, data in enumerate(FILES.values()):
            target.partial(file).write_bytes(data)
        target.record(0, 0, bytes(32))
        target.commit(manifest)


def test_final_names_come_together(out: Path) -> None:
    commit(out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == FILES | {"manifest.json": b"new"}


def test_the_manifest_comes_last_and_an_old_one_goes_first(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(out, b"old")
    seen, replace = [], Path.replace

    def watch(path: Path, target: Path) -> Path:
        seen.append((Path(target).name, (out / "manifest.json").exists()))
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", watch)
    commit(out, b"new", force=True)
    assert seen == [*((name, False) for name in FILES), ("manifest.json", False)]
    assert (out / "manifest.json").read_bytes() == b"new"


def old_manifest(files: Any) -> bytes:
    return json.dumps({"files": files}).encode()


def test_files_of_the_checkpoint_that_is_replaced_go_if_they_are_as_it_left_them(out: Path) -> None:
    listed = {"old.bin": "3", "changed.bin": "4", "a.bin": "1", "gone.bin": "1", "folder": "0"}
    out.mkdir()
    for name in ("old.bin", "changed.bin", "a.bin", "mine.bin"):
        (out / name).write_bytes(b"123")
    (out / "folder").mkdir()
    (out / "manifest.json").write_bytes(old_manifest([{"name": name, "size": size} for name, size in listed.items()]))
    commit(out, force=True)
    assert sorted(os.listdir(out)) == sorted([*FILES, "manifest.json", "changed.bin", "folder", "mine.bin"])
    assert (out / "a.bin").read_bytes() == FILES["a.bin"]


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[]",
        b"{}",
        b"3",
        b"\xff",
        old_manifest([{"size": "3"}]),
        old_manifest([{"name": "old.bin", "size": "x"}]),
    ],
)
def test_an_old_manifest_that_says_nothing_has_nothing_removed(out: Path, content: bytes) -> None:
    out.mkdir()
    (out / "old.bin").write_bytes(b"123")
    (out / "manifest.json").write_bytes(content)
    commit(out, force=True)
    assert (out / "old.bin").exists()


def test_an_old_manifest_cannot_have_files_elsewhere_removed(out: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"123")
    out.mkdir()
    names = ["../victim", str(victim), f"../{tmp_path.name}/victim"]
    (out / "manifest.json").write_bytes(old_manifest([{"name": name, "size": "3"} for name in names]))
    commit(out, force=True)
    assert victim.exists()


def test_errors_of_the_disk_are_reported(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    with PartialDirectory(out, PLAN, False) as target:
        with pytest.raises(initium.OutputError, match=r"cannot write .*a.bin.partial"):
            target.commit(b"new")
        monkeypatch.setattr(os, "write", fail)
        with pytest.raises(initium.OutputError, match=f"cannot write .*{SIDECAR}: Input/output error"):
            target.record(0, 0, bytes(32))
        monkeypatch.undo()
