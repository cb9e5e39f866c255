#!/usr/bin/env bash
# dieharder's whole battery on the words of many tensors (see words.py); part of `make prove`. Results: out/prove/dieharder KIND.txt.
# Installs the Debian package where it is missing and this user may; otherwise says so and fails.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${PYTHON:-.venv/bin/python}

if ! command -v dieharder >/dev/null; then
    sudo=$([ "$(id -u)" = 0 ] || echo sudo)
    { $sudo apt-get update -q && $sudo apt-get install -y -q dieharder; } >/dev/null ||
        { echo "DIEHARDER IS NOT INSTALLED, SO THE WORDS WERE NOT TESTED; install the package dieharder" >&2; exit 1; }
fi

mkdir -p out/prove
for kind in interleaved transposed; do
    result="out/prove/dieharder $kind.txt"
    if [ ! -e "$result" ]; then
        echo "dieharder: $kind (about an hour)" >&2
        "$python" -m tests.prove.words "$kind" | dieharder -a -g 200 >"$result.partial"
        mv "$result.partial" "$result"
    fi
    echo "dieharder, $kind words: $(grep -c PASSED "$result") passed, $(grep -c WEAK "$result" || true) weak," \
        "$(grep -c FAILED "$result" || true) failed"
    grep -E "WEAK|FAILED" "$result" || true
    ! grep -q FAILED "$result"
done
