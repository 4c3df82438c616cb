#!/usr/bin/env bash
# C12: a short run for each change (a minute), or the nightly one with the real times: JUnit files, and one exit code.
#
#   bash ci.sh short
#   VLLM_BACKEND_URL=... VLLM_MODEL_NAME=... bash ci.sh nightly      with the live half of the canary
#   DEFECT=hidden_client_errors bash ci.sh short                     1: the lab's router has a defect
#   DRY_RUN=1 bash ci.sh nightly                                     only checks the plans, and runs nothing
#
# OPTIONS are added to each drill (-D system=URL ...), RESULTS is the folder for the results.
set -uo pipefail

mode=${1:-short}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
results=${RESULTS:-drills-$mode}
worst=0

ended() { # the order of chaosproxy's own exit codes; whatever else comes is no verdict
    local last=$1 code
    case $last in 0 | 1 | 3 | 4 | 5 | 130 | 143) ;; *) last=5 ;; esac
    for code in 5 130 143 4 1 3; do
        if [ "$last" = "$code" ] || [ "$worst" = "$code" ]; then worst=$code; return; fi
    done
}

drill() {
    local file=$here/$1.yaml; shift
    # shellcheck disable=SC2086
    if [ -n "${DRY_RUN:-}" ]; then
        chaosproxy plan "$file" -D "defect=${DEFECT:-none}" "$@" ${OPTIONS:-} >/dev/null
    else
        chaosproxy run "$file" -D "defect=${DEFECT:-none}" "$@" ${OPTIONS:-}
    fi
    ended $?
}

canary() {
    local name=$1; shift
    [ -n "${DRY_RUN:-}" ] && return
    PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 python -m pytest -q -c /dev/null -p no:cacheprovider -p chaosproxy.pytest_plugin \
        --junitxml="$PWD/$name-junit.xml" "$@"
    case $? in 0) ended 0 ;; 1) ended 1 ;; *) ended 5 ;; esac
}

short() {
    drill not-loaded
    drill timeout
    canary canary "$here/test_canary.py::test_a_wrong_answer_is_caught"
}

nightly() {
    drill engine-death -D refused=60s -D loading=60s -D lasts=140s
    drill not-loaded -D loading=120s -D lasts=135s
    drill timeout -D first_token=10s -D below=9780ms -D above=10180ms -D spell=15s -D lasts=45s
    drill flapping -D down=35s -D up=35s -D flapping=105s -D lasts=125s -D used_from=36s -D used_to=69s
    drill probes
    drill usage
    local real="-D scale=1 -D alarm=33s -D slow=40s -D slow_for=50s -D spell=60s -D lasts=150s"
    drill latency $real -D size=7b -D least=900ms -D most=3300ms -D token_least=18ms -D token_most=22ms
    drill latency $real -D size=13b -D least=2700ms -D most=7700ms -D token_least=45ms -D token_most=55ms
    drill latency $real -D size=70b -D least=9s -D most=33s -D token_least=180ms -D token_most=220ms
    canary canary --chaos-live "$here/test_canary.py" "$here/test_live.py"
    FAULTS=every TIMEOUT_S=${CANARY_TIMEOUT_S:-20} canary every-fault "$here/test_canary.py::test_paris_or_an_error"
}

case $mode in short | nightly) ;; *) echo "usage: bash ci.sh short|nightly" >&2; exit 2 ;; esac
mkdir -p "$results" && cd "$results" || exit 5
$mode
[ -n "${DRY_RUN:-}" ] && { echo "$mode: plans checked, exit code $worst"; exit "$worst"; }
python - <<'PYTHON'
import sys
from pathlib import Path
from xml.etree import ElementTree

files = [*sorted(Path("out").glob("*/junit.xml")), *sorted(Path().glob("*-junit.xml"))]
suites = [suite for file in files for suite in ElementTree.parse(file).iter("testsuite")]
tests, wrong = (sum(int(suite.get(key) or 0) for suite in suites for key in keys) for keys in (["tests"], ["failures", "errors"]))
print(f"JUnit: {len(files)} files, {tests} tests, {wrong} of them FAILED" if wrong else f"JUnit: {len(files)} files, {tests} tests")
sys.exit(0 if tests else 5)
PYTHON
ended $?
echo "$mode: exit code $worst"
exit "$worst"
