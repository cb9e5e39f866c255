"""What may happen to a directory: refused, resumed, replaced, full."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct

import initium
from initium.contract.leaves import LEAF
from initium.disk.partial import SIDECAR, PartialDirectory
from initium.v1.plan_pb2 import Group, PlannedGroups
from tests.client.conftest import FILES, RECIPE, assert_complete
from tests.client.disks import with_free
from tests.client.fake import FakeServer, Faults, make_plan, rich_error, starts


def interrupted(client: initium.Client, server: FakeServer, out: Path, after: int) -> None:
    """Leaves `after` leaves in `out`."""
    server.faults = Faults(break_after=[after])
    failure = rich_error(13, "INTERNAL")

    def fail(count: int) -> None:
        server.faults.error = failure

    server.faults.on_leaf = fail
    with pytest.raises(initium.ServerError):
        client.generate(server.plan, out)
    server.faults = Faults()
    server.requests.clear()


def test_a_foreign_directory_is_refused(client: initium.Client, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(initium.OutputError, match=r"is not empty \(notes.txt, s0\); choose another"):
        client.generate(RECIPE, tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["notes.txt", "s0"]


def test_force_replaces_only_what_the_checkpoint_owns(
    client: initium.Client, server: FakeServer, make_server: Callable[..., FakeServer], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with initium.connect(make_server({"old.safetensors": b"old", "config.json": b"old"}).address) as other:
        other.generate(RECIPE, out)
    (out / "notes.txt").write_text("mine")
    with pytest.raises(initium.OutputError, match="is not empty"):
        client.generate(RECIPE, out)
    client.generate(RECIPE, out, force=True)
    assert (out / "notes.txt").read_text() == "mine"
    (out / "notes.txt").unlink()
    assert_complete(out)


def test_a_later_run_goes_on_behind_the_longest_valid_prefix(
    client: initium.Client, server: FakeServer, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    interrupted(client, server, out, 5)
    seen: list[int] = []
    client.generate(server.plan, out, progress=lambda done, _: seen.append(done))
    assert starts(server) == [(1, LEAF)]
    assert seen[0] == 4 * LEAF + 17
    assert_complete(out)


def test_a_damaged_partial_file_is_drawn_again_from_there(
    client: initium.Client, server: FakeServer, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    interrupted(client, server, out, 5)
    with (out / "a.safetensors.partial").open("r+b") as stream:
        stream.seek(2 * LEAF)
        stream.write(b"damage")
    client.generate(server.plan, out)
    assert starts(server) == [(0, 2 * LEAF)]
    assert_complete(out)


@pytest.mark.parametrize("damage", ["torn", "empty", "gone", "garbage"])
def test_a_damaged_sidecar_costs_work_but_no_correctness(
    client: initium.Client, server: FakeServer, tmp_path: Path, damage: str
) -> None:
    out = tmp_path / "out"
    interrupted(client, server, out, 5)
    sidecar = out / SIDECAR
    data = sidecar.read_bytes()
    if damage == "gone":
        sidecar.unlink()
    else:
        sidecar.write_bytes({"torn": data[:-3], "empty": b"", "garbage": data[:-200] + b"\0" * 200}[damage])
    client.generate(server.plan, out, force=damage in ("gone", "empty"))
    assert_complete(out)


def test_an_unfinished_checkpoint_of_another_plan_is_refused(
    client: initium.Client, server: FakeServer, make_server: Callable[..., FakeServer], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    other = make_server({"other.safetensors": bytes(3 * LEAF)})
    with initium.connect(other.address) as other_client:
        interrupted(other_client, other, out, 2)
    with pytest.raises(initium.OutputError, match=f"another plan \\({other.plan.plan_digest}\\)"):
        client.generate(server.plan, out)
    client.generate(server.plan, out, force=True)
    assert_complete(out)


def test_a_crash_between_the_renames_is_repaired(
    client: initium.Client, server: FakeServer, tmp_path: Path, monkeypatch: Any
) -> None:
    out = tmp_path / "out"
    replace, done = Path.replace, 0

    def crash(path: Path, target: Path) -> Path:
        nonlocal done
        done += 1
        if done == 3:
            raise OSError(errno.EIO, "pulled the plug", str(path))
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", crash)
    with pytest.raises(initium.OutputError, match="pulled the plug"):
        client.generate(server.plan, out)
    monkeypatch.undo()
    assert (out / "a.safetensors").exists()
    assert not (out / "manifest.json").exists()
    server.requests.clear()
    client.generate(server.plan, out)
    assert starts(server) == [(3, 2)]
    assert_complete(out)


def test_two_runs_do_not_write_into_one_directory(client: initium.Client, server: FakeServer, tmp_path: Path) -> None:
    out, message = tmp_path / "out", "another run is writing here"
    with PartialDirectory(out, server.plan, False), pytest.raises(initium.OutputError, match=message):
        client.generate(server.plan, out)


def test_space_that_an_earlier_run_reserved_is_not_asked_for_again(
    client: initium.Client, server: FakeServer, tmp_path: Path, monkeypatch: Any
) -> None:
    out = tmp_path / "out"
    interrupted(client, server, out, 2)
    with (out / "a.safetensors.partial").open("r+b") as stream:
        os.posix_fallocate(stream.fileno(), 0, len(FILES["a.safetensors"]))
    needed = len(FILES["b.safetensors"]) + len(FILES["config.json"])
    for free, fits in ((needed - 1, False), (needed, True)):
        with_free(monkeypatch, tmp_path, free, 1)
        if fits:
            client.generate(server.plan, out)
        else:
            with pytest.raises(initium.OutputError, match=f"{needed} bytes are needed, {free} are free"):
                client.generate(server.plan, out)
    assert_complete(out)


@pytest.mark.parametrize("existing", [False, True])
def test_a_refused_request_leaves_no_trace(
    client: initium.Client, server: FakeServer, tmp_path: Path, existing: bool
) -> None:
    out = tmp_path / "out"
    if existing:
        out.mkdir()
    server.faults.error = rich_error(9, "LIBRARY_MISSING")
    with pytest.raises(initium.PreconditionError):
        client.generate(server.plan, out)
    assert out.exists() == existing
    assert not existing or not os.listdir(out)
    server.faults = Faults()
    client.generate(server.plan, out)
    server.faults.error = rich_error(9, "LIBRARY_MISSING")
    with pytest.raises(initium.PreconditionError):
        client.generate(server.plan, out, force=True)
    assert_complete(out)


def test_a_refused_request_keeps_what_an_earlier_run_left(
    client: initium.Client, server: FakeServer, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    interrupted(client, server, out, 5)
    before = sorted(os.listdir(out))
    server.faults.error = rich_error(9, "LIBRARY_MISSING")
    with pytest.raises(initium.PreconditionError):
        client.generate(server.plan, out)
    assert sorted(os.listdir(out)) == before
    server.faults = Faults()
    client.generate(server.plan, out)
    assert starts(server)[-1] == (1, LEAF)


def test_a_disk_that_fills_up_keeps_what_is_there(
    client: initium.Client, server: FakeServer, tmp_path: Path, monkeypatch: Any
) -> None:
    out = tmp_path / "out"
    pwrite = os.pwrite

    def full(handle: int, data: memoryview, offset: int) -> int:
        if offset >= 2 * LEAF:
            raise OSError(errno.ENOSPC, "No space left on device")
        return pwrite(handle, data, offset)

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(initium.OutputError, match=r"a.safetensors.partial: No space left .* bytes of it are missing"):
        client.generate(server.plan, out)
    monkeypatch.undo()
    assert not set(FILES) & set(os.listdir(out))
    server.requests.clear()
    client.generate(server.plan, out)
    assert starts(server) == [(0, 2 * LEAF)]
    assert_complete(out)


def test_short_writes_are_completed(
    client: initium.Client, server: FakeServer, tmp_path: Path, monkeypatch: Any
) -> None:
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda handle, data, offset: pwrite(handle, data[:70_001], offset))
    client.generate(server.plan, tmp_path / "out")
    assert_complete(tmp_path / "out")


def test_a_file_size_limit_is_an_output_error(server: FakeServer, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    initium.write_plan(server.plan, plan)
    # Not with preexec_fn: gRPC threads of this process do not take that.
    limited = ["sh", "-c", f'ulimit -f {2 * LEAF // 512} && exec "$0" "$@"']
    command = [sys.executable, "-m", "initium.cli", "generate", str(plan), "-o", str(tmp_path / "out")]
    done = subprocess.run(
        [*limited, *command, "--server", server.address], stderr=subprocess.PIPE, text=True, check=False
    )
    assert done.returncode == 1
    assert "error: cannot write" in done.stderr
    assert "File too large" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_place_that_cannot_be_a_directory(client: initium.Client, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(initium.OutputError, match=r"cannot write .*file"):
        client.generate(RECIPE, tmp_path / "file")
    with pytest.raises(initium.OutputError, match=r"cannot write .*file"):
        client.generate(RECIPE, tmp_path / "file" / "below")


@pytest.mark.parametrize("name", ["../x", "/etc/x", "", ".", "..", "manifest.json", "x.partial", "a/b", "a\\b", "a\0"])
def test_promise_5_servers_do_not_choose_paths(client: initium.Client, name: str, tmp_path: Path) -> None:
    with pytest.raises(initium.PlanError, match="no plain file name"):
        client.generate(make_plan({name: b"x"}), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_link_in_the_place_of_a_partial_file_is_not_followed(
    client: initium.Client, server: FakeServer, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.safetensors.partial").symlink_to(tmp_path / "victim")
    with pytest.raises(initium.OutputError):
        client.generate(server.plan, out, force=True)
    assert not (tmp_path / "victim").exists()


def test_lost_and_found_is_no_content(client: initium.Client, tmp_path: Path) -> None:
    (tmp_path / "out" / "lost+found").mkdir(parents=True)
    client.generate(RECIPE, tmp_path / "out")


def test_verify_names_what_differs(client: initium.Client, server: FakeServer, tmp_path: Path) -> None:
    out = tmp_path / "out"
    client.generate(RECIPE, out)
    (out / "config.json").unlink()
    (out / "b.safetensors").write_bytes(FILES["b.safetensors"] + b"x")
    data = bytearray(FILES["a.safetensors"])
    data[2 * LEAF + 5] ^= 1
    (out / "a.safetensors").write_bytes(data)
    with pytest.raises(initium.VerifyError) as caught:
        initium.verify(out)
    reported = [str(violation) for violation in caught.value.violations]
    assert reported[0].startswith("a.safetensors: has digest ")
    assert reported[1] == f"b.safetensors: has {2 * LEAF + 1} bytes, the manifest says {2 * LEAF}"
    assert reported[2].startswith("config.json: cannot be read: No such file")


def test_redraw_names_the_first_byte(client: initium.Client, tmp_path: Path) -> None:
    out = tmp_path / "out"
    client.generate(RECIPE, out)
    initium.redraw(out, client)
    data = bytearray(FILES["a.safetensors"])
    data[2 * LEAF + 5] ^= 1
    (out / "a.safetensors").write_bytes(data)
    with pytest.raises(initium.VerifyError, match=f"a.safetensors: differs first at byte {2 * LEAF + 5}"):
        initium.redraw(out, client)


def without_digests(data: dict[str, Any]) -> None:
    del data["plan"]["plan_digest"], data["plan"]["weights_key"]
    data["plan"]["groups"]["groups"][0]["options"]["lr"] = 9


UNPROVEN: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "bare": (lambda data: (data.pop("plan"), data.pop("files")), "has no files"),
    "no digests": (without_digests, "proves nothing[\\s\\S]*plan.plan_digest: is missing\n  plan.weights_key: is"),
    "no version": (lambda data: data["plan"].pop("plan_version"), "changed after it was written"),
    "no files": (lambda data: data.update(files=[]), "files: the manifest lists 0 files, its plan 4"),
    "other order": (lambda data: data["files"].reverse(), "config.json: listed as config.json of 2 bytes, but the"),
    "other size": (lambda data: data["files"][0].update(size="1"), "a.safetensors: listed as a.safetensors of 1 bytes"),
    "other digest": (lambda data: data["files"][1].update(digest="0" * 64), "b.safetensors: .* manifest says 0000"),
}


@pytest.mark.parametrize("name", UNPROVEN)
def test_a_manifest_that_proves_nothing_passes_no_check(
    make_server: Callable[..., FakeServer], tmp_path: Path, name: str
) -> None:
    out, (change, message) = tmp_path / "out", UNPROVEN[name]
    options = Struct()
    options.update({"lr": 0.1})
    groups = PlannedGroups(optimizer="SGD", groups=[Group(name="base", options=options)])
    with initium.connect(make_server(groups=groups).address) as client:
        client.generate(RECIPE, out)
        data = json.loads((out / "manifest.json").read_text())
        change(data)
        (out / "manifest.json").write_text(json.dumps(data))
        for check in (initium.verify, lambda path: initium.redraw(path, client)):
            with pytest.raises((initium.ManifestError, initium.VerifyError), match=message):
                check(out)


def test_a_changed_manifest_is_reported(client: initium.Client, tmp_path: Path) -> None:
    client.generate(RECIPE, tmp_path / "out")
    file = tmp_path / "out" / "manifest.json"
    data = json.loads(file.read_text())
    data["plan"]["seed"] = "2"
    file.write_text(json.dumps(data))
    with pytest.raises(initium.ManifestError, match="changed after it was written"):
        initium.verify(tmp_path / "out")
    file.write_text("[]")
    with pytest.raises(initium.ManifestError, match="is not a manifest"):
        initium.verify(tmp_path / "out")
    with pytest.raises(initium.ManifestError, match="an unfinished checkpoint has none"):
        initium.verify(tmp_path)
