"""The files under deploy/ say what they should, and what of them can run without a container engine runs."""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent import futures
from importlib import util
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
DOCKERFILES = [DEPLOY / "Dockerfile.cpu", DEPLOY / "Dockerfile.cuda"]
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
PORT = 7070
UID = 10001


def missing(tool: str) -> None:
    """Ends the test: a tool that CI lacks is a failure, elsewhere a skip that says so."""
    message = f"{tool} IS NOT INSTALLED, SO NOTHING WAS CHECKED; it comes with the `dev` extra"
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(message)
    pytest.skip(message)


def by_name(path: Path) -> str:
    return path.name


def instructions(dockerfile: Path) -> list[tuple[str, str]]:
    lines = [line for line in dockerfile.read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\s*\\\n\s*", " ", "\n".join(lines))
    found: list[tuple[str, str]] = []
    for line in filter(None, map(str.strip, joined.splitlines())):
        word, rest = line.split(maxsplit=1)
        found.append((word, rest))
    return found


def final_stage(dockerfile: Path) -> dict[str, str]:
    """The last instruction of each kind in the last stage."""
    found = instructions(dockerfile)
    start = max(index for index, (word, _) in enumerate(found) if word == "FROM")
    return dict(found[start:])


def health_command(dockerfile: Path) -> list[str]:
    command: list[str] = json.loads(final_stage(dockerfile)["HEALTHCHECK"].split("CMD ", 1)[1])
    return command


def test_a_missing_tool_fails_in_ci_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="NOT INSTALLED"):
        missing("hadolint")
    monkeypatch.delenv("CI")
    with pytest.raises(pytest.skip.Exception, match="NOT INSTALLED"):
        missing("hadolint")


# Dockerfiles


def hadolint() -> str:
    beside = Path(sys.executable).with_name("hadolint")
    found = str(beside) if beside.exists() else shutil.which("hadolint")
    if found is None:
        missing("hadolint")
    assert found is not None
    return found


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=by_name)
def test_hadolint_finds_nothing(dockerfile: Path) -> None:
    command = [hadolint(), "--no-color", "--failure-threshold", "style", str(dockerfile)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_hadolint_would_find_something() -> None:
    text = "FROM python:latest\nRUN pip install torch\nUSER root\n"
    done = subprocess.run([hadolint(), "--no-color", "-"], input=text, capture_output=True, text=True)
    assert done.returncode != 0
    assert {"DL3007", "DL3013", "DL3002"} <= set(re.findall(r"DL\d{4}", done.stdout))


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=by_name)
def test_image(dockerfile: Path) -> None:
    found = instructions(dockerfile)
    assert sum(word == "FROM" for word, _ in found) >= 2
    assert "hadolint ignore" not in dockerfile.read_text()
    assert ("ARG", 'PIP_ARGS=""') in found
    installs = [rest for word, rest in found if word == "RUN" and "pip" in rest and " install " in rest]
    installs = [rest for rest in installs if "apt-get" not in rest]
    assert installs
    for rest in installs:
        assert "${PIP_ARGS} --constraint constraints.txt" in rest
    final = final_stage(dockerfile)
    assert final["USER"] == f"{UID}:{UID}"
    assert final["EXPOSE"] == str(PORT)
    assert final["STOPSIGNAL"] == "SIGTERM"
    assert json.loads(final["ENTRYPOINT"]) == ["initium"]
    assert json.loads(final["CMD"])[:3] == ["serve", "--listen", f"0.0.0.0:{PORT}"]
    assert "HOME=/tmp" in final["ENV"]
    assert "NUMBA_CACHE_DIR=/var/cache/initium/" in final["ENV"]


def test_images_differ_only_where_they_must() -> None:
    cpu, cuda = map(final_stage, DOCKERFILES)
    differing = {word for word in cpu.keys() | cuda.keys() if cpu.get(word) != cuda.get(word)}
    assert differing == {"FROM", "LABEL", "ENV", "CMD"}
    assert cuda["ENV"].replace(" TRITON_CACHE_DIR=/var/cache/initium/triton", "") == cpu["ENV"]
    assert [json.loads(final["CMD"])[-2:] for final in (cpu, cuda)] == [["--device", "auto"], ["--device", "cuda"]]


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=by_name)
def test_context_holds_what_is_copied(dockerfile: Path) -> None:
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert ignored[0] == "*"
    allowed = {line[1:] for line in ignored if line[0] == "!"}
    copies = [shlex.split(rest) for word, rest in instructions(dockerfile) if word == "COPY"]
    sources = {name for words in copies if not words[0].startswith("--from=") for name in words[:-1]}
    assert {name.rstrip("*") for name in sources} == allowed
    for name in sources:
        assert name.endswith("*") or (ROOT / name).exists()


@pytest.mark.timeout(180)
def test_dockerfile_in_a_clean_directory(tmp_path: Path) -> None:
    command = [str(DEPLOY / "try-dockerfile.sh"), "--python", sys.executable, str(DOCKERFILES[0])]
    environment = os.environ | {"TMPDIR": str(tmp_path), "PIP_INDEX_URL": "http://127.0.0.1:9/never-asked"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.rstrip().endswith(f"done: {DOCKERFILES[0]}"), done.stdout
    assert list(tmp_path.iterdir()) == [], "the script leaves nothing behind"


@pytest.mark.timeout(180)
def test_dockerfile_that_cannot_build_is_found(tmp_path: Path) -> None:
    broken = tmp_path / "Dockerfile"
    text = DOCKERFILES[0].read_text()
    broken.write_text(text.replace("constraints.txt hatchling", "constraints.txt hatchling no-such-package-of-ours"))
    assert broken.read_text() != text
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    command = [str(DEPLOY / "try-dockerfile.sh"), "--python", sys.executable, str(broken)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"TMPDIR": str(scratch)})
    assert done.returncode == 1, done.stdout + done.stderr
    assert "FAILED: RUN /opt/build/bin/pip install" in done.stderr
    assert list(scratch.iterdir()) == []


@pytest.fixture
def health_server() -> Iterator[tuple[int, health.HealthServicer]]:
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
    servicer = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port, servicer
    server.stop(None).wait()


@pytest.mark.timeout(120)
def test_health_command(health_server: tuple[int, health.HealthServicer]) -> None:
    port, servicer = health_server
    program, option, code = health_command(DOCKERFILES[0])
    assert (program, option) == ("python", "-c")
    assert code.count(f":{PORT}") == 1

    def status(target: int) -> int:
        # A proxy in the environment must not matter.
        environment = os.environ | {"http_proxy": "http://127.0.0.1:9", "no_proxy": ""}
        command = [sys.executable, "-c", code.replace(f":{PORT}", f":{target}")]
        return subprocess.run(command, capture_output=True, env=environment).returncode

    servicer.set("", health_pb2.HealthCheckResponse.SERVING)
    assert status(port) == 0
    servicer.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
    assert status(port) == 1
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        assert status(nobody.getsockname()[1]) == 1


# Compose


def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    return found


def test_compose_services() -> None:
    found = services()
    assert set(found) == {"initium", "cuda"}
    assert "profiles" not in found["initium"], "the CPU service starts by default"
    assert found["cuda"]["profiles"] == ["cuda"]
    [device] = found["cuda"]["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["count"], device["capabilities"]) == ("nvidia", 1, ["gpu"])
    assert "deploy" not in found["initium"]
    for name, dockerfile in zip(("initium", "cuda"), DOCKERFILES, strict=True):
        build = found[name]["build"]
        context = (DEPLOY / build["context"]).resolve()
        assert context == ROOT
        assert context / build["dockerfile"] == dockerfile
        assert build["args"] == {"PIP_ARGS": "${PIP_ARGS:-}"}


@pytest.mark.parametrize("name", ["initium", "cuda"])
def test_compose_hardening(name: str) -> None:
    service = services()[name]
    assert service["user"] == f"{UID}:{UID}"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "network_mode", "pid", "ipc", "volumes"} & service.keys()
    assert service["mem_limit"] == service["memswap_limit"]
    assert service["pids_limit"] > 0
    mounts = dict(mount.split(":", 1) for mount in service["tmpfs"])
    assert set(mounts) == {"/tmp", "/var/cache/initium"}
    for options in mounts.values():
        assert {"nosuid", "nodev", "noexec"} <= set(options.split(","))
        assert "size=" in options
    [published] = service["ports"]
    assert re.fullmatch(rf"127\.0\.0\.1:\d+:{PORT}", published), "not beyond this host"
    assert service["command"][:3] == ["serve", "--listen", f"0.0.0.0:{PORT}"]
    assert service["command"][service["command"].index("--threads") + 1] == str(service["cpus"])
    assert service["command"][4] == ("cuda" if name == "cuda" else "auto")


def test_compose_asks_as_the_image_does() -> None:
    for dockerfile, service in zip(DOCKERFILES, services().values(), strict=True):
        assert service["healthcheck"]["test"] == ["CMD", *health_command(dockerfile)]


# Kubernetes


def documents() -> list[dict[str, Any]]:
    return [document for path in MANIFESTS for document in yaml.safe_load_all(path.read_text()) if document]


def one(kind: str) -> dict[str, Any]:
    [document] = [document for document in documents() if document["kind"] == kind]
    return document


@pytest.mark.parametrize("version", ["1.30", "1.37"])
def test_kubernetes_schema(version: str) -> None:
    if util.find_spec("kubernetes_validate") is None:
        missing("kubernetes-validate")
    import kubernetes_validate

    assert [document["kind"] for document in documents()] == ["Service", "Deployment", "PodDisruptionBudget"]
    for document in documents():
        assert kubernetes_validate.validate(document, version, strict=True).startswith(version)
    misspelt = one("Deployment")
    misspelt["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="readinesProbe"):
        kubernetes_validate.validate(misspelt, version, strict=True)


def test_kubernetes_service_is_headless_and_finds_the_pods() -> None:
    service, deployment, budget = one("Service"), one("Deployment"), one("PodDisruptionBudget")
    assert service["metadata"]["name"] == "initium"
    assert service["spec"]["clusterIP"] == "None"
    [port] = service["spec"]["ports"]
    assert port["port"] == PORT
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    assert {"name": port["targetPort"], "containerPort": PORT} in container["ports"]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert budget["spec"]["selector"] == deployment["spec"]["selector"]
    assert deployment["spec"]["replicas"] == 2


def test_kubernetes_probes_ask_the_served_port() -> None:
    [container] = one("Deployment")["spec"]["template"]["spec"]["containers"]
    args = container["args"]
    assert args[args.index("--listen") + 1] == f"0.0.0.0:{PORT}"
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["grpc"] == {"port": PORT}
    assert container["startupProbe"]["periodSeconds"] * container["startupProbe"]["failureThreshold"] >= 180


def test_kubernetes_hardening() -> None:
    pod = one("Deployment")["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False, "else a Service named initium sets INITIUM_... variables"
    security = pod["securityContext"]
    assert (security["runAsNonRoot"], security["runAsUser"], security["fsGroup"]) == (True, UID, UID)
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["initContainers"] + pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "memory" in container["resources"]["limits"]
        assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
        assert container["image"] == pod["containers"][0]["image"]
    [container] = pod["containers"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    mounts = {mount["mountPath"]: volumes[mount["name"]] for mount in container["volumeMounts"]}
    assert mounts.keys() == {"/tmp", "/var/cache/initium"}
    assert all("sizeLimit" in volume["emptyDir"] for volume in mounts.values())
    assert container["lifecycle"]["preStop"]["sleep"]["seconds"] < pod["terminationGracePeriodSeconds"]


# constraints.txt, and all files together


def test_constraints() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    names = [pin.split("==")[0] for pin in pins]
    assert names == sorted(set(names))
    for pin in pins:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*==[0-9][0-9a-z.]*", pin)
    assert {"torch==2.14.1", "torchvision==0.29.1"} <= set(pins)
    done = subprocess.run([sys.executable, str(DEPLOY / "pin.py"), "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_file_names_a_host() -> None:
    files = [path for path in DEPLOY.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    for path in [*files, ROOT / "constraints.txt", ROOT / ".dockerignore"]:
        found = set(re.findall(r"\w+://\S*", path.read_text())) - {"dns:///initium:7070`,", "dns:///initium:7070`"}
        assert found == set(), path
