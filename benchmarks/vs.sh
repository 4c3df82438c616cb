#!/usr/bin/env bash
# vs.sh NAME PORT PID STREAMS SECONDS: load one proxy, print CPU per event and resident memory of PID and its children.
# LLMBENCH is the load tool: cc -O2 -o build/llmbench benchmarks/llmbench/*.c
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
name=$1 port=$2 pid=$3 streams=$4 seconds=$5

pids() { echo "$pid"; pgrep -P "$pid" || true; }
ticks() { for p in $(pids); do cat "/proc/$p/stat" 2>/dev/null || true; done | awk '{sub(/.*\) /, ""); sum += $12 + $13} END {print sum + 0}'; }

before=$(ticks)
seen=$("${LLMBENCH:-$here/../build/llmbench}" load 127.0.0.1 "$port" streams="$streams" seconds="$seconds")
after=$(ticks)
rss_kib=$(for p in $(pids); do awk '/VmRSS/ {print $2}' "/proc/$p/status" 2>/dev/null || true; done | awk '{sum += $1} END {print sum + 0}')
events=$(sed -n 's/.*"events":\([0-9]*\).*/\1/p' <<<"$seen")
awk -v name="$name" -v seen="$seen" -v ticks=$((after - before)) -v events="$events" -v rss_kib="$rss_kib" -v hz="$(getconf CLK_TCK)" \
    'BEGIN {printf "%-14s cpu_us_per_event %.1f  rss_kib %d  %s\n", name, events ? ticks / hz * 1e6 / events : 0, rss_kib, seen}'
