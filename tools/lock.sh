#!/usr/bin/env bash
# Writes requirements/ anew from pyproject.toml: `tools/lock.sh [--upgrade]`, called by `make lock`.
#
# Every hash that is published for a version is kept, so one file serves x86_64 and aarch64. No index and no path may
# stand in a lock: where packages come from is the installer's business, and a leaked address would break strangers.
set -euo pipefail
cd "$(dirname "$0")/.."

# Settings of this machine must not show in the result.
unset PIP_FIND_LINKS PIP_INDEX_URL PIP_EXTRA_INDEX_URL UV_FIND_LINKS

readonly upgrade=("$@")

compile() {
    local output=$1
    shift
    .venv/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
        --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' --output-file "$output" \
        "${upgrade[@]}" "$@"
}

compile requirements/run.txt pyproject.toml --group build
# Constrained by the run list: what the tests import is what runs.
compile requirements/dev.txt pyproject.toml --group build --group dev --constraint requirements/run.txt
compile requirements/lock.txt --group lock

if grep -nE '://|^--|^ *-[fi]|(^| )/' requirements/*.txt; then
    echo 'A lock names an address or a path (above); it must not.' >&2
    exit 1
fi
