#!/usr/bin/env bash
# The same with curl:  bash download.bash URL FILE
#
# Exit code 0: FILE is there, whole and right. 1: it is not there, and the last line says why. CHECK=off, TRIES and STALL_S
# as in download.py.
set -u
url=$1 file=$2 part=$2.part
tries=${TRIES:-4} stall_s=${STALL_S:-10} stall_s=${stall_s%.*}
curl=(curl --silent --show-error --location --connect-timeout "$stall_s" --speed-limit 1 --speed-time "$stall_s")

if [ "${CHECK:-on}" = off ]; then
    exec "${curl[@]}" --continue-at - --output "$file" "$url"
fi

give_up() { echo "download failed: $1" >&2; exit 1; }

sum() { (sha256sum "$1" 2>/dev/null || shasum -a 256 "$1") | cut -d' ' -f1; }

for ((try = 0; try < tries; try++)); do
    sleep "0.$try"
    status=$("${curl[@]}" --fail --continue-at - --output "$part" --write-out '%{http_code}' "$url" 2>/dev/null)
    code=$?
    problem="curl ended with $code, status $status"
    case $code in
        0)
            wanted=$("${curl[@]}" --fail "$url.sha256" | cut -d' ' -f1) || wanted=
            [ -n "$wanted" ] || { problem="no checksum"; continue; }
            if [ "$(sum "$part")" = "$wanted" ]; then
                mv "$part" "$file" && exit 0
            fi
            rm -f "$part"
            problem="the checksum is wrong" ;;
        33) rm -f "$part" ;;  # the server knows no ranges: begin anew
        22)
            case $status in
                408 | 425 | 429 | 500 | 502 | 503 | 504 | 507) ;;
                416) rm -f "$part" ;;
                *) give_up "status $status" ;;
            esac ;;
    esac
done
give_up "$problem, after $tries tries"
