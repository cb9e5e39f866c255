"""Stores: nothing outside is reached or told, and no byte is given away that is not the digest's."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from initium.contract.canonical import seal
from initium.errors import InitiumError, PlanError, PreconditionError, RequestError
from initium.plan import open_plan
from initium.plan import stores as module
from initium.plan.fills import encode_fill
from initium.plan.layout import layout_of, write_layout
from initium.plan.stores import Stores
from initium.v1.plan_pb2 import Plan
from initium_law.grammar import Stored

VALUES = np.arange(300_000, dtype=np.float32).reshape(600, 500)
OTHER = np.arange(5, dtype=np.int64)


def digest(values: np.ndarray) -> str:  # type: ignore[type-arg]
    return hashlib.sha256(values.tobytes()).hexdigest()


def stored(file: str = "a/model.safetensors", **fields: str) -> Stored:
    names = {"store": "zoo", "tensor": "w", "digest": digest(VALUES)} | fields
    return Stored(names["store"], file, names["tensor"], names["digest"], "F32", (600, 500))


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    """A store with a checkpoint in a folder, and what lies beside the store."""
    for folder in ("zoo/a", "outside"):
        (tmp_path / folder).mkdir(parents=True)
        save_file({"w": VALUES, "n": OTHER}, tmp_path / folder / "model.safetensors")
    return tmp_path / "zoo"


@pytest.fixture
def stores(zoo: Path) -> Stores:
    return Stores({"zoo": zoo})


def read(stores: Stores, fill: Stored, begin: int = 0, count: int = VALUES.nbytes) -> bytes:
    out = np.empty(count, np.uint8)
    stores.reader(fill)(begin, out)
    return out.tobytes()


def refused(call: Callable[[], object], reason: str = "NOT_IN_STORE") -> str:
    with pytest.raises(PreconditionError) as caught:
        call()
    assert caught.value.reason == reason
    return str(caught.value)


def test_any_range_is_read(stores: Stores) -> None:
    whole = VALUES.tobytes()
    assert read(stores, stored()) == whole
    for begin, count in ((0, 1), (1, 7), (599_999, 3), (len(whole) - 1, 1)):
        assert read(stores, stored(), begin, count) == whole[begin : begin + count]


@pytest.mark.parametrize(
    "path",
    [
        *("../outside/model.safetensors", "a/../../outside/model.safetensors", "a/./model.safetensors"),
        *("/etc/passwd", "//a/model.safetensors", "a//model.safetensors", "a/model.safetensors/", "", ".", ".."),
        *("a\\model.safetensors", "..\\outside\\model.safetensors", "a/model.safetensors\0", "a/\nmodel.safetensors"),
        *("link/model.safetensors", "file.safetensors", "root.safetensors", "null.safetensors", "fifo.safetensors"),
        *("socket.safetensors", "folder.safetensors", "loop.safetensors", "gone.safetensors", "a", "a/config.json"),
        *("a/model.safetensors/model.safetensors", "x" * 2000 + ".safetensors", "x" * 300 + ".safetensors"),
    ],
)
def test_no_path_leads_out(
    zoo: Path, stores: Stores, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Promise 5 (safe to expose): nor is it told whether something is there."""
    (zoo / "link").symlink_to(tmp_path / "outside")
    (zoo / "file.safetensors").symlink_to("../outside/model.safetensors")
    (zoo / "root.safetensors").symlink_to("/")
    (zoo / "null.safetensors").symlink_to("/dev/null")
    (zoo / "loop.safetensors").symlink_to("loop.safetensors")
    (zoo / "folder.safetensors").mkdir()
    (zoo / "a" / "config.json").write_text("{}")
    os.mkfifo(zoo / "fifo.safetensors")
    monkeypatch.chdir(zoo)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.safetensors")
    text = refused(lambda: stores.reader(stored(path)))
    absent = refused(lambda: stores.reader(stored("absent.safetensors")))
    if path.endswith(".safetensors"):
        assert text == absent.replace("'absent.safetensors'", repr(path))
    else:
        assert text == f"{path!r} is no path of a .safetensors file"


def test_a_link_inside_is_followed(zoo: Path, stores: Stores) -> None:
    """As caches of hubs have them."""
    (zoo / "snapshot").mkdir()
    (zoo / "snapshot" / "model.safetensors").symlink_to("../a/model.safetensors")
    assert read(stores, stored("snapshot/model.safetensors")) == VALUES.tobytes()
    assert stores.source("zoo/snapshot").tensors.keys() == {"n", "w"}


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "-a", "a b", "ä", "x" * 65, "a\n"])
def test_names_of_stores_are_words(name: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="store name"):
        Stores({name: tmp_path})


def test_a_store_is_a_directory(zoo: Path) -> None:
    with pytest.raises(RequestError, match="is no directory"):
        Stores({"zoo": zoo / "a" / "model.safetensors"})


def test_an_unknown_store_is_named(stores: Stores) -> None:
    text = refused(lambda: stores.reader(stored(store="zo")))
    assert "no store 'zo'" in text
    assert "did you mean 'zoo'?" in text


def test_another_digest_is_no_answer(stores: Stores) -> None:
    """Who sends a plan by value and names another tensor gets nothing of it."""
    out = np.full(8, 0xAA, np.uint8)
    reader = stores.reader(stored(digest="0" * 64))
    text = refused(lambda: reader(0, out), "STORE_MISMATCH")
    assert "w of zoo/a/model.safetensors" in text
    assert out.tobytes() == b"\xaa" * 8


def test_what_a_plan_says_of_a_tensor_must_be_so(stores: Stores) -> None:
    assert "it has" not in refused(lambda: stores.reader(stored(tensor="v")))
    as_integers = Stored("zoo", "a/model.safetensors", "n", digest(OTHER), "F32", (5,))
    assert "is I64 [5]" in refused(lambda: stores.reader(as_integers), "STORE_MISMATCH")


@pytest.mark.parametrize("change", ["in place", "cut", "longer", "replaced", "header"])
def test_a_file_that_changes_is_an_error(zoo: Path, stores: Stores, change: str) -> None:
    """Also between two ranges of one reader."""
    path, reader, out = zoo / "a" / "model.safetensors", stores.reader(stored()), np.zeros(4, np.uint8)
    reader(4, out)
    assert out.tobytes() == VALUES.tobytes()[4:8]
    data = bytearray(path.read_bytes())
    status = path.stat()
    if change == "in place":
        data[-1] ^= 1
        path.write_bytes(data)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    elif change == "cut":
        os.truncate(path, len(data) - 4)
    elif change == "longer":
        path.write_bytes(data + b"\0")
    elif change == "header":
        path.write_bytes(b"\xff" * len(data))
    else:
        save_file({"w": VALUES + 1, "n": OTHER}, path.with_suffix(".new"))
        path.with_suffix(".new").rename(path)
    with pytest.raises(PreconditionError):
        reader(4, out)
    with pytest.raises(PreconditionError):
        Stores({"zoo": zoo}).reader(stored())(4, out)


def test_what_a_path_leads_to_is_looked_up_for_each_plan(zoo: Path, stores: Stores) -> None:
    """A link to the latest checkpoint: the file of before is as it was, and is no longer the right one."""
    (zoo / "b").mkdir()
    save_file({"w": VALUES + 1}, zoo / "b" / "model.safetensors")
    latest, out = zoo / "latest", np.zeros(4, np.uint8)
    latest.symlink_to("a")
    stores.reader(stored("latest/model.safetensors"))(4, out)
    latest.unlink()
    latest.symlink_to("b")
    stores.reader(stored("latest/model.safetensors", digest=digest(VALUES + 1)))(4, out)
    assert out.tobytes() == (VALUES + 1).tobytes()[4:8]


def test_a_file_that_was_touched_is_read_again(zoo: Path, stores: Stores) -> None:
    reader, out = stores.reader(stored()), np.zeros(4, np.uint8)
    reader(0, out)
    os.utime(zoo / "a" / "model.safetensors", ns=(1, 1))
    reader(4, out)
    assert out.tobytes() == VALUES.tobytes()[4:8]


def test_a_file_that_never_rests_is_an_error(zoo: Path, stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter(range(1, 100))
    identity = module._identity
    monkeypatch.setattr(module, "_identity", lambda descriptor: identity(descriptor)._replace(modified=next(times)))
    assert "changes while it is read" in refused(lambda: read(stores, stored()), "STORE_MISMATCH")


def test_a_digest_is_taken_once(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    """By one of the threads that want the tensor."""
    reader, taken, sha256 = stores.reader(stored()), [], hashlib.sha256

    def counted() -> object:
        taken.append(1)
        return sha256()

    monkeypatch.setattr(hashlib, "sha256", counted)
    outs = [np.empty(1000, np.uint8) for _ in range(8)]
    threads = [threading.Thread(target=reader, args=(1000 * i, out)) for i, out in enumerate(outs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert b"".join(out.tobytes() for out in outs) == VALUES.tobytes()[:8000]
    assert taken == [1]


def test_few_files_are_open(zoo: Path, stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_FILES", 3)
    before, names = len(os.listdir("/proc/self/fd")), [f"{i}.safetensors" for i in range(20)]
    for name in names:
        save_file({"w": VALUES[:2, :500]}, zoo / name)
    fill = [Stored("zoo", name, "w", digest(VALUES[:2]), "F32", (2, 500)) for name in names]
    readers = [stores.reader(each) for each in fill]
    for reader in [*readers, *readers]:
        out = np.empty(4000, np.uint8)
        reader(0, out)
        assert out.tobytes() == VALUES[:2].tobytes()
    assert len(os.listdir("/proc/self/fd")) <= before + 4


def shards(folder: Path, weight_map: object) -> None:
    save_file({"w": VALUES}, folder / "model-1.safetensors")
    save_file({"n": OTHER}, folder / "model-2.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))


def test_a_folder_of_shards_is_one_checkpoint(zoo: Path, stores: Stores) -> None:
    shards(zoo, {"w": "model-1.safetensors", "n": "model-2.safetensors"})
    for text in ("zoo", "zoo/"):
        source = stores.source("zoo")
        assert {name: found.file for name, found in source.tensors.items()} == {
            "n": "model-2.safetensors",
            "w": "model-1.safetensors",
        }, text
    assert (source.digest("w"), source.digest("n")) == (digest(VALUES), digest(OTHER))


@pytest.mark.parametrize(
    "weight_map",
    [
        *(
            None,
            [],
            {"w": 5},
            {"w": "../outside/model.safetensors"},
            {"w": "a/model.safetensors"},
            {"w": "/x.safetensors"},
        ),
        *(
            {"v": "model-1.safetensors"},
            {"w": "model-3.safetensors"},
            {"w": ".."},
            {"w": "model.safetensors.index.json"},
        ),
    ],
)
def test_an_index_is_not_believed(zoo: Path, stores: Stores, weight_map: object) -> None:
    shards(zoo, weight_map)
    refused(lambda: stores.source("zoo"))


@pytest.mark.parametrize("text", ["zoo/b", "zoo/a/b", "zoo", "zo/a", "zoo/a/config.json"])
def test_a_checkpoint_that_is_not_there(zoo: Path, stores: Stores, text: str) -> None:
    refused(lambda: stores.source(text))


def plan_of(fill: Stored, version: int = 2) -> Plan:
    plan = Plan(plan_version=version, generator="stream-v1", seed=5)
    plan.tensors.add(name="x", shape=fill.shape, dtype=fill.dtype, fill=encode_fill(fill))
    write_layout(plan, layout_of(plan), {})
    return seal(plan)


def test_a_plan_is_drawn_with_stores(zoo: Path) -> None:
    checkpoint = open_plan(plan_of(stored()), stores={"zoo": zoo})
    start = checkpoint.files[0].size - VALUES.nbytes
    assert checkpoint.read("model.safetensors", start + 3, 100_001) == VALUES.tobytes()[3 : 3 + 100_001]


@pytest.mark.parametrize("path", ["../outside/model.safetensors", "b/model.safetensors"])
def test_a_plan_without_its_store_is_refused(zoo: Path, path: str) -> None:
    for fill, stores in ((stored(path), {"zoo": zoo}), (stored(), None)):
        with pytest.raises(PreconditionError) as caught:
            open_plan(plan_of(fill), stores=stores)
        assert caught.value.reason == "NOT_IN_STORE"
        assert [each.field for each in caught.value.violations] == ["tensors[0].fill"]


def test_the_kind_and_the_report_need_plan_version_2(zoo: Path) -> None:
    with pytest.raises(PlanError, match="stored needs plan_version 2"):
        open_plan(plan_of(stored(), 1), stores={"zoo": zoo})
    plan = Plan(plan_version=1, generator="stream-v1")
    plan.loads.add(rule="init.rules[0]")
    with pytest.raises(InitiumError, match="loads: needs plan_version 2"):
        open_plan(plan)
