#!/usr/bin/env bash
# The GPU check on a machine without a network, see docs/gpu.md.
#
#   measurements/gpu.sh pack FOLDER --pictures DIR
#       Here: all that the machine needs beside this checkout, at most 60 MB.
#   measurements/gpu.sh run FOLDER [--json FILE] [--minutes N] [--device DEVICE] [--only NAME,...] [--small]
#       There: the tests marked gpu, then the measurements of measurements/gpu.py.
#
# PYTHON is the interpreter, python3 unless given.
set -euo pipefail

readonly MOST_MB=60 PICTURES=100 NAMES=5000 TESTS_SECONDS=180 PROCESSES=6 INSTALL_SECONDS=60 RESERVE=20
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
readonly here root="${here%/*}" python="${PYTHON:-python3}"

fail() {
    echo "gpu.sh: $1" >&2
    exit 2
}

# Of measurements/gpu_pictures.py: a function, then its arguments.
pictures() {
    PYTHONPATH="$here" "$python" - "$@" <<'PYTHON'
import sys
from pathlib import Path

import gpu_pictures

name, source, target, count = sys.argv[1:]
getattr(gpu_pictures, name)(Path(source), Path(target), int(count))
PYTHON
}

download() {
    "$python" -m pip download --quiet --no-deps --only-binary=:all: --dest "$2" \
        --python-version 3.12 --implementation cp --platform manylinux_2_28_x86_64 \
        --platform manylinux_2_27_x86_64 --platform manylinux_2_17_x86_64 \
        --platform manylinux2014_x86_64 --platform any "$1"
}

# A wheel of each requirement; of what is published as source alone, one made here.
wheels() {
    local requirement
    while read -r requirement; do
        if [[ -z "$requirement" || "$requirement" == \#* ]]; then continue; fi
        download "$requirement" "$1" 2>/dev/null ||
            "$python" -m pip wheel --quiet --no-deps --wheel-dir "$1" "$requirement" ||
            fail "no wheel of $requirement"
    done <"$here/gpu_requirements.txt"
}

pack() {
    local folder="$1" from="$2" megabytes
    [[ -d "$from" ]] || fail "--pictures $from: no such folder"
    [[ ! -e "$folder" || -d "$folder/wheels" ]] || fail "$folder is there already, and no pack"
    rm -rf "$folder"
    mkdir -p "$folder/wheels"
    wheels "$folder/wheels"
    pictures copy_spread "$from" "$folder/pictures" "$PICTURES"
    megabytes=$(($(du -sb "$folder" | cut -f 1) / 1000000))
    echo "$folder: $(find "$folder/wheels" -name '*.whl' | wc -l) wheels, $PICTURES pictures, $megabytes MB"
    ((megabytes < MOST_MB)) || fail "$folder: more than $MOST_MB MB"
}

# The wheels, and oodbench with its configs as setup.cfg lays them out.
install() {
    mkdir -p "$1"
    timeout "$INSTALL_SECONDS" "$python" -m pip install --quiet --no-index --no-deps \
        --disable-pip-version-check --root-user-action=ignore --target "$1" "$2"/wheels/*.whl
    mkdir "$1/oodbench"
    ln -s "$root"/src/oodbench/* "$1/oodbench"
    ln -s "$root/conf" "$1/oodbench/conf"
}

# What became of the tests, in one line; what they said goes to a file.
tests() {
    local code=0 said="$1" at_once=()
    if "$python" -c "import xdist" 2>/dev/null; then at_once=(-n "$PROCESSES"); fi
    # Warnings are no errors here: the libraries are other versions than those of constraints.txt.
    (cd "$root" && OMP_NUM_THREADS=2 timeout --signal=INT --kill-after=10 "$TESTS_SECONDS" "$python" -m pytest tests/gpu \
        -m gpu -q -rs --durations=10 -W default -p no:cacheprovider "${at_once[@]}") >"$said" 2>&1 || code=$?
    case "$code" in
    124 | 137) echo "stopped after $TESTS_SECONDS s: $(tail -n 1 "$said")" ;;
    *) echo "exit code $code: $(tail -n 1 "$said")" ;;
    esac
}

run() {
    local folder="$1" json="$2" minutes="$3" made outcome left
    shift 3
    [[ -d "$folder/wheels" && -d "$folder/pictures" ]] || fail "$folder: not made by gpu.sh pack"
    folder="$(cd "$folder" && pwd)"
    json="${json:-$folder/gpu.json}"
    made="$folder/made"
    rm -rf "$made"
    trap "rm -rf '$made'" EXIT # the folder stays as it was packed, beside what was found
    install "$made/site" "$folder"
    mkdir "$made/work"
    pictures repeat "$folder/pictures" "$made/names" "$NAMES"
    export PYTHONPATH="$made/site" HF_HUB_OFFLINE=1 OODBENCH_CACHE="$made/work/cache"
    mkdir -p "${json%/*}"
    outcome="$(tests "${json%.json}-tests.txt")"
    echo "tests: $outcome"
    left=$((minutes * 60 - SECONDS - RESERVE)) # for the imports, and for what has to be ended
    "$python" "$here/gpu.py" --pictures "$made/names" --json "$json" --seconds "$left" \
        --scratch "$made/work" --tests "$outcome" "$@"
}

main() {
    (($# >= 2)) || fail "usage: gpu.sh pack FOLDER --pictures DIR | gpu.sh run FOLDER [options]"
    local command="$1" folder="$2" from="" json="" minutes=8 passed=()
    shift 2
    while (($#)); do
        case "$1" in
        --small) passed+=("$1") && shift && continue ;;
        --pictures | --json | --minutes | --device | --only) (($# >= 2)) || fail "$1: no value" ;;
        *) fail "$1: no such option" ;;
        esac
        case "$1" in
        "--pictures") from="$2" ;;
        "--json") json="$(realpath -m "$2")" ;;
        "--minutes") minutes="$2" ;;
        "--device" | "--only") passed+=("$1" "$2") ;;
        esac
        shift 2
    done
    case "$command" in
    pack) pack "$folder" "$from" ;;
    run) run "$folder" "$json" "$minutes" "${passed[@]}" ;;
    *) fail "$command: pack or run" ;;
    esac
}

main "$@"
