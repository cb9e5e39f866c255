"""Promise 5: a hostile job cannot take the server down or starve others, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from initium.contract.recipe import load_recipe
from initium.errors import InitiumError
from initium.plan.limits import Limits
from initium.v1.service_pb2 import ListTensorsResponse
from initium_server.workers import JobLimits, Pool, Zygote
from initium_server.workers.child import Job
from initium_server.workers.jobs import inventory, needs, resolve
from initium_server.workers.sandbox import FORBIDDEN
from tests.conftest import EXAMPLES
from tests.sources.compare import library
from tests.workers import hostile_jobs as jobs


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with contextlib.closing(Zygote()) as zygote:
        pool = Pool(zygote, JobLimits(30, 1 << 30))
        pool.warm()
        yield pool


@pytest.fixture(scope="module")
def bare() -> Iterator[Zygote]:
    """A zygote without libraries."""
    with contextlib.closing(Zygote(preload=False)) as zygote:
        yield zygote


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(condition: object, seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if callable(condition) and condition():
            return True
        time.sleep(0.02)
    return False


def pids_in(path: Path) -> list[int]:
    assert wait_for(lambda: path.exists() and len(path.read_text().split()) == 2)
    return [int(word) for word in path.read_text().split()]


def test_a_payload_of_any_size_goes_there_and_back(pool: Pool) -> None:
    for payload in (b"", b"x" * (3 << 20)):
        assert pool.run(jobs.echo, payload) == payload


def test_a_warm_job_has_the_libraries_loaded(pool: Pool) -> None:
    assert pool.run(jobs.loaded, b"torch timm transformers torchvision") == b"True"


def test_what_a_job_names_is_loaded_before_it_and_stays(bare: Zygote) -> None:
    pool = Pool(bare, JobLimits(30))
    assert pool.run(jobs.loaded, b"wave") == b"False"
    assert not pool.has(["wave"])
    assert pool.run(jobs.loaded, b"wave", modules=["no_such_module", "wave"]) == b"True"
    assert pool.has(["wave"])
    assert pool.run(jobs.loaded, b"wave") == b"True"


def test_bare_tensors_need_neither_torch_nor_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    recipe = load_recipe(EXAMPLES / "bare_tensors.json")
    assert recipe.groups.optimizer
    with contextlib.closing(Zygote(preload=False)) as zygote:
        pool = Pool(zygote, JobLimits(30))
        assert pool.has(needs(recipe))
        assert pool.run(partial(resolve, Limits(), "cpu", 1, {}), recipe.SerializeToString(), modules=needs(recipe))
        assert [pool.run(jobs.loaded, name) for name in (b"torch", b"numba")] == [b"False"] * 2
        recipe.groups.defaults["nesterov"] = True
        assert "torch" in needs(recipe)


def test_a_process_with_many_open_files_still_builds(pool: Pool) -> None:
    """A server holds a descriptor for each connection; select() would fail beyond 1,023."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    with contextlib.ExitStack() as stack:
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        for _ in range(1100):
            stack.enter_context(open(os.devnull))
        assert pool.run(jobs.echo, b"x") == b"x"


def test_an_inventory_comes_back(pool: Pool) -> None:
    declared = library("timm", "vit_tiny_patch16_224", depth=1).SerializeToString()
    response = ListTensorsResponse.FromString(pool.run(partial(inventory, Limits()), declared))
    assert response.tensors[0].name == "cls_token"


def test_no_thread_was_started_before_forking(pool: Pool) -> None:
    assert pool.run(jobs.threads, b"").split() == [b"Threads:", b"1"] * 2


def test_libraries_are_told_to_stay_offline(pool: Pool) -> None:
    assert pool.run(jobs.offline, b"") == b"11"


def test_every_event_that_is_forbidden_is_tried() -> None:
    assert set(jobs.ACTIONS) == FORBIDDEN


@pytest.mark.parametrize("event", jobs.ACTIONS)
def test_network_and_processes_are_forbidden(bare: Zygote, event: str) -> None:
    with pytest.raises(InitiumError, match=rf"not allowed while a model is built: {event}\(") as caught:
        Pool(bare, JobLimits(30)).run(jobs.attempt, event.encode())
    assert caught.value.reason == "BUILD_FAILED"


def test_bounds_that_the_kernel_keeps_should_nobody_be_able_to_kill(bare: Zygote) -> None:
    cpu, hard_cpu, core, hard_core, data, hard_data = map(
        int, Pool(bare, JobLimits(40.5, 1 << 30)).run(jobs.bounds, b"").split()
    )
    assert cpu == hard_cpu == 45 * (os.cpu_count() or 1)  # 40 and five more, on every processor
    assert core == hard_core == 0
    assert 1 << 30 < data == hard_data < 3 << 30


@pytest.mark.parametrize("job", [jobs.gobble, jobs.gobble_slowly, jobs.gobble_tensor])
def test_memory_is_limited(pool: Pool, job: Job) -> None:
    with pytest.raises(InitiumError, match="took more than 1073741824 bytes") as caught:
        pool.run(job, b"")
    assert caught.value.reason == "BUILD_CRASHED"


def test_an_answer_is_limited_before_it_comes(bare: Zygote) -> None:
    limits = JobLimits(30, answer_bytes=1001)  # and a byte that says what it is
    assert Pool(bare, limits).run(jobs.echo, b"x" * 1000) == b"x" * 1000
    with pytest.raises(InitiumError, match="the plan has 100,000,001 bytes; the limit is 1,001") as caught:
        Pool(bare, limits).run(jobs.answer, b"100000000")
    assert caught.value.reason == "TOO_LARGE"


def test_patterns_are_compiled_behind_the_fence(bare: Zygote) -> None:
    """A recipe's patterns cannot take more memory than its architecture may."""
    rules = [{"match": {"regex": [rf"\pL{{1,30}}{index}"]}, "ones": {}} for index in range(1500)]
    architecture = {"tensors": {"tensors": [{"name": "x"}]}}
    recipe = load_recipe({"architecture": architecture, "seed": 1, "init": {"rules": rules}})
    with pytest.raises(InitiumError) as caught:
        Pool(bare, JobLimits(60, 64 << 20)).run(partial(resolve, Limits(), "cpu", 1, {}), recipe.SerializeToString())
    assert caught.value.reason == "BUILD_CRASHED"


def test_errors_come_back_whole(pool: Pool) -> None:
    with pytest.raises(InitiumError) as caught:
        pool.run(jobs.refuse, b"")
    error = caught.value
    assert (error.reason, error.metadata) == ("INVALID_RECIPE", {"k": "v"})
    assert [(v.field, v.message) for v in error.violations] == [("a.b", "bad")]


@pytest.mark.parametrize(
    ("job", "reason", "words"),
    [
        (jobs.fail, "BUILD_FAILED", "ValueError: my words"),
        (jobs.leave, "BUILD_FAILED", "SystemExit: 3"),
        (jobs.make_up_a_reason, "BUILD_FAILED", "InitiumError: odd"),
        (jobs.overflow, "BUILD_FAILED", "RecursionError"),
        (jobs.vanish, "BUILD_CRASHED", "exit code 7"),
    ],
)
def test_a_failing_job_gives_its_words_and_no_traceback(pool: Pool, job: Job, reason: str, words: str) -> None:
    with pytest.raises(InitiumError) as caught:
        pool.run(job, b"")
    assert caught.value.reason == reason
    assert words in caught.value.message
    assert "Traceback" not in caught.value.message


def test_time_is_limited(bare: Zygote) -> None:
    short = Pool(bare, JobLimits(seconds=0.3))
    with pytest.raises(InitiumError, match=r"within 0\.3 s") as caught:
        short.run(jobs.spin, b"")
    assert caught.value.reason == "BUILD_TIMEOUT"


def test_a_cancelled_job_is_killed(pool: Pool, tmp_path: Path) -> None:
    path = tmp_path / "pid"
    with pytest.raises(CancelledError):
        pool.run(jobs.pid_then_sleep, os.fsencode(path), cancelled=path.exists)
    assert wait_for(lambda: not alive(pids_in(path)[0]))


def test_waiting_too_long_is_busy(bare: Zygote, tmp_path: Path) -> None:
    single = Pool(bare, JobLimits(30), workers=1, queue_seconds=0.2)
    stop, path = threading.Event(), tmp_path / "pid"
    thread = threading.Thread(target=_until_cancelled, args=(single, path, stop))
    thread.start()
    pids_in(path)
    with pytest.raises(InitiumError, match=r"busy for 0\.2 s") as caught:
        single.run(jobs.echo, b"")
    stop.set()
    thread.join()
    assert caught.value.reason == "BUSY"
    assert single.run(jobs.echo, b"again") == b"again"


def _until_cancelled(pool: Pool, path: Path, stop: threading.Event) -> None:
    with pytest.raises(CancelledError):
        pool.run(jobs.pid_then_sleep, os.fsencode(path), cancelled=stop.is_set)


def test_a_closed_pool_is_shutting_down(bare: Zygote) -> None:
    closing = Pool(bare, JobLimits())
    closing.close()
    with pytest.raises(InitiumError) as caught:
        closing.run(jobs.echo, b"")
    assert caught.value.reason == "SHUTTING_DOWN"


def test_a_zygote_that_was_killed_is_replaced(bare: Zygote) -> None:
    pool = Pool(bare, JobLimits(30))
    bare._process.kill()
    bare._process.wait()
    assert pool.run(jobs.echo, b"again") == b"again"


def test_a_zygote_that_was_closed_stays_so() -> None:
    zygote = Zygote(preload=False)
    zygote.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        zygote.fork()


def test_jobs_that_end_while_they_are_ended_leave_the_zygote_alone(bare: Zygote) -> None:
    pool, first = Pool(bare, JobLimits(30), workers=4), bare._process
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda i: pool.run(jobs.echo, b"%d" % i), range(200))) == [
            b"%d" % i for i in range(200)
        ]
    assert bare._process is first
    assert first.poll() is None


def test_a_process_that_ends_before_it_has_read_its_task(bare: Zygote) -> None:
    """What is left unread makes the kernel reset the connection."""
    pool = Pool(bare, JobLimits(30))
    with pytest.raises(InitiumError, match="ended by itself") as caught:
        pool.run(jobs.echo, bytes(64 << 20), lambda: _kill_forks_of(bare._process.pid))
    assert caught.value.reason == "BUILD_CRASHED"


def _kill_forks_of(pid: int) -> bool:
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        os.kill(int(child), signal.SIGKILL)
    return False


FORKING = """
import os, sys, contextlib
from initium_server.workers import JobLimits, Pool, Zygote
from tests.workers.hostile_jobs import echo, loaded, offline
import wave
reader, writer = os.pipe()
os.set_inheritable(writer, True)
with contextlib.closing(Zygote(preload=False, forked=True)) as zygote:
    os.close(writer)
    assert os.read(reader, 1) == b""  # it holds nothing that this process had open
    pool = Pool(zygote, JobLimits())
    assert pool.run(loaded, b"wave") == b"True"
    assert pool.run(offline, b"") == b"11"
    zygote._process.kill()
    os.waitid(os.P_PID, zygote._process.pid, os.WEXITED | os.WNOWAIT)
    assert pool.run(echo, b"again") == b"again"
    assert pool.run(loaded, b"wave") == b"False"
print("done")
"""


def test_a_zygote_can_be_a_fork_of_a_process_without_threads() -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])}
    command = [sys.executable, "-W", "error", "-c", FORKING]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert (done.stdout, done.stderr) == ("done\n", "")


PARENT = """
import os, sys, threading, time
from initium_server.workers import JobLimits, Pool, Zygote
from tests.workers.hostile_jobs import pid_then_sleep
zygote = Zygote(preload=False)
pool = Pool(zygote, JobLimits())
path = sys.argv[1]
threading.Thread(target=lambda: pool.run(pid_then_sleep, os.fsencode(path)), daemon=True).start()
while not os.path.exists(path):
    time.sleep(0.02)
time.sleep(0.1)
if sys.argv[2] == "close":
    pool.close()
    zygote.close()
    time.sleep(0.3)
os._exit(0)
"""


@pytest.mark.parametrize("ending", ["close", "die"])
def test_no_process_outlives_its_parent(tmp_path: Path, ending: str) -> None:
    path = tmp_path / "pid"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", PARENT, str(path), ending], check=True, timeout=60, env=environment)
    assert wait_for(lambda: not any(map(alive, pids_in(path))))
