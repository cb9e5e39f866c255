#!/usr/bin/env bash
# Tries a Dockerfile without a container engine.
#
#   deploy/try-dockerfile.sh [--full] [--keep] [--python PYTHON] [DOCKERFILE]
#
# Reads the instructions of DOCKERFILE (default: deploy/Dockerfile.cpu) and carries them out in a clean temporary folder
# that stands for the image's root: absolute paths such as /opt/initium become paths in that folder, COPY copies what the
# repository holds, and each RUN runs in `sh -c` with an empty environment, the stage's ARG and ENV, and PYTHON (default:
# python3) under the names `python` and `python3.N`.
#
# Without --full, pip is cut off from every index and sees the packages that PYTHON already has, so that it must find
# each requirement there, at the version that constraints.txt pins. Only the stage that builds is tried. Seconds, no
# network.
#
# With --full, pip gets your own settings (PIP_* variables, pip.conf, and PIP_ARGS as the build argument of that name),
# everything is really installed (minutes, several GB), the RUN commands of the final stage are tried too, and then what
# was installed is started with ENTRYPOINT and CMD on a free port, asked by the HEALTHCHECK's own command, and stopped
# with the STOPSIGNAL.
#
# Never tried, since it needs an engine: the base images, apt-get, the user and its rights, the limits of a read-only
# root, and the pruning of the context by .dockerignore. What is passed over is printed.
set -euo pipefail

usage() { sed -n '2,/^set -/{/^set -/!s/^# \{0,1\}//p}' "$0" >&2; exit 2; }
say() { printf '== %s\n' "$*"; }
die() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }

repository=$(cd "$(dirname "$0")/.." && pwd)
dockerfile=$repository/deploy/Dockerfile.cpu
full=false keep=false python=python3
while (($#)); do
    case $1 in
        --full) full=true ;;
        --keep) keep=true ;;
        --python) python=${2:?} && shift ;;
        -*) usage ;;
        *) dockerfile=$1 ;;
    esac
    shift
done
[[ -r $dockerfile ]] || die "no such file: $dockerfile"
python=$(command -v "$python") || die "no such Python: $python"

root=$(cd "$(mktemp -d "${TMPDIR:-/tmp}/try-dockerfile.XXXXXXXX")" && pwd -P)
server=
cleanup() {
    [[ -z $server ]] || kill -KILL "$server" 2>/dev/null || true
    if $keep; then say "kept: $root"; else rm -rf "$root"; fi
}
trap cleanup EXIT
trap 'exit 130' INT TERM

mkdir -p "$root/shim" "$root/tmp" "$root/home"
base_python=$("$python" -c 'import os, sys; print(os.path.realpath(sys._base_executable))')
minor=$("$base_python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
ln -s "$base_python" "$root/shim/python"
ln -s "$base_python" "$root/shim/python$minor"

inside() { # absolute paths of the image become paths below $root
    sed -E "s#(^|[[:space:]\"'=:])/(src|opt|wheels|tmp|var/cache/initium)\b#\1$root/\2#g" <<<"$1"
}

instructions() { # one a line, without comments
    awk '/^[[:space:]]*#/ { next }
         { line = line $0; if (sub(/[[:space:]]*\\$/, " ", line)) next
           gsub(/[[:space:]]+/, " ", line); if (line != "" && line != " ") print line; line = "" }' "$1"
}

# What a command sees besides the stage's ARG and ENV.
clean=("PATH=$root/shim:/usr/local/bin:/usr/bin:/bin" "HOME=$root/home" "TMPDIR=$root/tmp" "LANG=C.UTF-8")
if $full; then
    while IFS='=' read -r -d '' name value; do
        case $name in
            PIP_ARGS) ;;
            PIP_* | SSL_CERT_* | REQUESTS_CA_BUNDLE | XDG_CONFIG_* | [Hh][Tt][Tt][Pp]_[Pp][Rr][Oo][Xx][Yy] | \
                [Hh][Tt][Tt][Pp][Ss]_[Pp][Rr][Oo][Xx][Yy] | [Nn][Oo]_[Pp][Rr][Oo][Xx][Yy]) clean+=("$name=$value") ;;
        esac
    done < <(env -0)
else
    packages=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    clean+=("PYTHONPATH=$packages" PIP_CONFIG_FILE=/dev/null PIP_NO_INDEX=1 PIP_QUIET=1)
fi

declare -A settings # by stage: shell code that sets its ARG and ENV
settings[scratch]=
stage= stages=0 workdir=/ entrypoint='[]' cmd='[]' health= stopsignal=SIGTERM
last=$(instructions "$dockerfile" | grep -c '^FROM ')

code() { printf '%s\n' "${settings[$stage]}" "cd '$root$workdir' || exit 1" "$1"; }
run() { env -i "${clean[@]}" sh -c "$(code "$1")"; }

while read -r -u 3 word rest; do
    final=false
    ((stages == last)) && final=true
    case $word in
        FROM)
            read -r from _ name <<<"$rest"
            stages=$((stages + 1)) stage=${name:-final} workdir=/
            settings[$stage]=${settings[$from]:-}
            say "stage $stage (from $from: not tried)"
            ;;
        ARG)
            name=${rest%%=*}
            eval "default=${rest#*=}"
            settings[$stage]+=$(printf '\nexport %s=%q' "$name" "${!name:-$default}")
            ;;
        ENV) settings[$stage]+=$'\n'"export $(inside "$rest")" ;;
        WORKDIR) workdir=$rest && mkdir -p "$root$workdir" ;;
        COPY)
            read -r -a words <<<"$rest"
            target=${words[-1]}
            [[ $target == /* ]] || target=$workdir/$target
            if [[ ${words[0]} == --from=* ]]; then
                [[ -e $root${words[1]} ]] || die "COPY $rest: the stage has no ${words[1]}"
                [[ ${words[1]} == "$target" ]] || die "COPY $rest: this script knows one root for all stages"
                continue
            fi
            for pattern in "${words[@]:0:${#words[@]}-1}"; do
                matches=()
                while read -r match; do matches+=("$match"); done < <(cd "$repository" && compgen -G "$pattern" || true)
                [[ ${#matches[@]} -gt 0 || $pattern == *'*'* ]] || die "COPY $rest: no $pattern"
                for match in "${matches[@]}"; do
                    if [[ -d $repository/$match ]]; then
                        mkdir -p "$root$target" && cp -R "$repository/$match/." "$root$target/"
                        find "$root$target" -name __pycache__ -type d -prune -exec rm -rf {} +
                    else
                        cp "$repository/$match" "$root$target"
                    fi
                done
            done
            ;;
        RUN)
            [[ $rest != *'<<'* && $rest != --* ]] || die "this script knows no such form: RUN $rest"
            case $rest in
                apt-get* | groupadd*) say "passed over: RUN $rest" && continue ;;
            esac
            if $final && ! $full; then say "passed over without --full: RUN $rest" && continue; fi
            say "RUN $rest"
            run "$(inside "$rest")" || die "RUN $rest"
            ;;
        HEALTHCHECK) health=${rest#*CMD } ;;
        ENTRYPOINT) entrypoint=$rest ;;
        CMD) cmd=$rest ;;
        STOPSIGNAL) stopsignal=$rest ;;
        USER | EXPOSE | LABEL) ;;
        *) die "this script does not know $word" ;;
    esac
done 3< <(instructions "$dockerfile")

say "the parts lie where the image has them"
run "
    cd / && PYTHONSAFEPATH=1 '$root/opt/initium/bin/python' -c '
import sys, initium, initium_law, initium_server, initium.v1.service_pb2_grpc
for part in (initium, initium_law, initium_server):
    print(part.__name__, part.__file__)
    assert part.__file__.startswith(sys.prefix), part.__file__
'
    test -x '$root/opt/initium/bin/initium' || { echo 'no console script'; exit 1; }
" || die "what was installed cannot be imported"

if $full; then
    port=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    words() { "$python" -c 'import json, shlex, sys; print(shlex.join(sum(map(json.loads, sys.argv[1:]), [])))' "$@"; }
    serve=$(words "$entrypoint" "$cmd") check=$(words "$health")
    serve=${serve//0.0.0.0:7070/127.0.0.1:$port} check=${check//:7070/:$port}
    say "$serve"
    env -i "${clean[@]}" sh -c "$(code "exec $serve")" & # not `run`: $! must be the server itself
    server=$!
    healthy=false
    for ((second = 0; second < 180; second++)); do
        if run "$check" >/dev/null 2>&1; then healthy=true && break; fi
        kill -0 "$server" 2>/dev/null || break
        sleep 1
    done
    $healthy || die "the server did not become healthy"
    say "healthy after $second s; $stopsignal"
    kill -s "${stopsignal#SIG}" "$server"
    for ((second = 0; second < 60; second++)); do
        kill -0 "$server" 2>/dev/null || break
        sleep 1
    done
    ((second < 60)) || die "the server did not stop within a minute"
    status=0
    wait "$server" || status=$?
    server=
    ((status == 0)) || die "the server ended with status $status"
    if run "$check" >/dev/null 2>&1; then die "the health check succeeds without a server"; fi
fi
say "done: $dockerfile"
