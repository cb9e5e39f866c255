"""Leaves on their way to the disk: all of them, checked, a bounded number at a time, and no thread stays behind."""

from __future__ import annotations

import errno
import itertools
import os
import random
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

import initium
from initium.contract.leaves import LEAF, Leaf, leaf_digest
from initium.disk.partial import PartialDirectory
from initium.disk.writer import FetchAgain, Writer
from tests.client.disks import with_free
from tests.client.fake import make_plan
from tests.disk.leftovers import FILES, PLACES, PLAN, SIDECAR, open_below, piece


@pytest.fixture
def target(tmp_path: Path) -> Iterator[PartialDirectory]:
    with PartialDirectory(tmp_path / "out", PLAN, False) as target:
        yield target


def leaf(file: int, number: int, good: bool = True) -> Leaf:
    data = piece(file, number)
    digest = leaf_digest(data)
    return Leaf(file, number * LEAF, digest, memoryview(data if good else b"?" + data[1:]))


LEAVES = [leaf(*place) for place in PLACES]


def never(bad: Leaf) -> Leaf:
    raise AssertionError(f"asked again for {bad.file} {bad.offset}")


def written(target: PartialDirectory) -> dict[str, bytes]:
    return {file.name: target.partial(index).read_bytes() for index, file in enumerate(PLAN.files)}


def put_all(writer: Writer, leaves: Iterable[Leaf]) -> None:
    for one in leaves:
        writer.put(one)


def write(target: PartialDirectory, leaves: Iterable[Leaf], again: FetchAgain = never) -> None:
    with Writer(target, again) as writer:
        put_all(writer, leaves)
        writer.finish()


def writers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "initium-writer"]


@pytest.mark.parametrize("seed", range(5))
def test_leaves_are_written_in_any_order(target: PartialDirectory, seed: int) -> None:
    write(target, random.Random(seed).sample(LEAVES, len(LEAVES)))
    assert written(target) == FILES
    assert target.valid_prefix() == (len(FILES), 0)
    assert [target.leaves(file) for file in range(3)] == [
        [one.digest for one in LEAVES if one.file == file] for file in range(3)
    ]


def test_what_an_older_run_left_behind_the_end_is_cut_off(target: PartialDirectory) -> None:
    for index in range(len(FILES)):
        target.partial(index).write_bytes(b"x" * 4 * LEAF)
    write(target, LEAVES)
    assert written(target) == FILES


def test_leaves_that_were_there_are_not_touched(target: PartialDirectory) -> None:
    target.partial(0).write_bytes(FILES["a.bin"][: 2 * LEAF])
    write(target, LEAVES[2:])
    assert written(target) == FILES


def test_a_wrong_leaf_is_asked_for_again(target: PartialDirectory) -> None:
    asked = []

    def again(bad: Leaf) -> Leaf:
        asked.append((bad.file, bad.offset))
        return leaf(bad.file, bad.offset // LEAF)

    write(target, [leaf(*place, good=place != (0, 1)) for place in PLACES], again)
    assert asked == [(0, LEAF)]
    assert written(target) == FILES


@pytest.mark.parametrize("kind", [initium.IntegrityError, initium.Unavailable, initium.Cancelled])
def test_an_error_of_asking_again_is_raised_by_finish(
    target: PartialDirectory, kind: type[initium.InitiumError]
) -> None:
    def again(bad: Leaf) -> Leaf:
        raise kind("twice")

    with pytest.raises(kind, match="twice"):
        write(target, [leaf(0, 0, good=False)], again)
    assert target.valid_prefix() == (0, 0)


def test_an_error_is_raised_by_the_next_put_and_nothing_more_is_written(target: PartialDirectory) -> None:
    def again(bad: Leaf) -> Leaf:
        raise initium.IntegrityError("twice")

    with pytest.raises(initium.IntegrityError, match="twice"):
        write(target, itertools.repeat(leaf(0, 0, good=False)), again)
    assert not any(target.partial(index).exists() for index in range(len(FILES)))
    assert not writers()


def test_a_writer_with_an_error_keeps_nobody_waiting(target: PartialDirectory) -> None:
    def again(bad: Leaf) -> Leaf:
        raise initium.IntegrityError("twice")

    with Writer(target, again) as writer:
        with pytest.raises(initium.IntegrityError):
            put_all(writer, itertools.repeat(leaf(0, 0, good=False)))
        for _ in range(40):
            with pytest.raises(initium.IntegrityError, match="twice"):
                writer.put(LEAVES[0])


def test_a_bounded_number_of_leaves_is_in_flight(tmp_path: Path) -> None:
    count, gate, taken = 40, threading.Event(), 0
    plan = make_plan({"x": bytes(count)})
    data = memoryview(b"\0")

    def again(bad: Leaf) -> Leaf:
        gate.wait()
        return Leaf(bad.file, bad.offset, leaf_digest(data), data)

    def put() -> None:
        nonlocal taken
        for offset in range(count):
            writer.put(Leaf(0, offset, b"wrong", data))
            taken += 1

    with PartialDirectory(tmp_path / "out", plan, False) as target, Writer(target, again) as writer:
        thread = threading.Thread(target=put)
        thread.start()
        while taken < 16:
            time.sleep(0.001)
        time.sleep(0.05)
        held = taken
        gate.set()
        thread.join()
        writer.finish()
    assert held == 16
    assert taken == count


def test_leaving_in_a_hurry_ends_the_threads_and_closes_the_files(target: PartialDirectory) -> None:
    def stop() -> None:
        with Writer(target, never) as writer:
            assert len(writers()) == 2
            for one in LEAVES:
                writer.put(one)
            while target.leaves(0)[0] != LEAVES[0].digest:
                time.sleep(0.001)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop()
    assert not writers()
    assert open_below(target.path) == [str(target.path / SIDECAR)]


def test_finished_files_are_closed(target: PartialDirectory) -> None:
    with Writer(target, never) as writer:
        for one in LEAVES:
            writer.put(one)
        writer.finish()
        assert not writers()
        assert open_below(target.path) == [str(target.path / SIDECAR)]


def test_a_file_that_cannot_be_opened(target: PartialDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    target.partial(0).mkdir()
    free = with_free(monkeypatch, target.path, 7, 512)
    reported = (
        f"cannot write {target.partial(0)}: Is a directory ({len(FILES['a.bin'])} bytes of it are missing, "
        f"{free} are free); what was written stays: run again to go on"
    )
    with pytest.raises(initium.OutputError) as caught:
        write(target, LEAVES[:1])
    assert caught.value.message == reported


@pytest.mark.parametrize("call", ["pwrite", "ftruncate"])
def test_a_write_that_fails_says_how_much_is_missing(
    target: PartialDirectory, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def fail(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, fail)
    missing = len(FILES["a.bin"]) - (LEAF if call == "pwrite" else 0)
    reported = rf"a.bin.partial: No space left on device \({missing} bytes of it are missing, \d+ are free\)"
    with pytest.raises(initium.OutputError, match=reported):
        write(target, LEAVES[1:2])
    assert target.leaves(0)[1] == (bytes(32) if call == "pwrite" else LEAVES[1].digest)


def test_a_disk_that_cannot_reserve_a_file_is_full(target: PartialDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int, size: int) -> None:
        raise OSError(errno.ENOSPC, f"no {size} bytes")

    monkeypatch.setattr("initium.disk.writer.reserve", full)
    size = len(FILES["a.bin"])
    with pytest.raises(initium.OutputError, match=rf"no {size} bytes \({size} bytes"):
        write(target, LEAVES[:1])


def test_space_is_set_aside_with_the_first_leaf(target: PartialDirectory) -> None:
    write(target, LEAVES[1:2])
    stat = target.partial(0).stat()
    assert stat.st_size == len(FILES["a.bin"])
    assert target.partial(0).read_bytes() == bytes(LEAF) + FILES["a.bin"][LEAF : 2 * LEAF] + bytes(4)
