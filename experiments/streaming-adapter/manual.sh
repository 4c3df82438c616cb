#!/usr/bin/env bash
# A18: five questions by hand, each with what curl got: basic, tools, fallback, error, health.
#
#   BASE_URL=http://127.0.0.1:8080 API_KEY=sk-... bash manual.sh       0: all five as they should be, 1: not
#
# MODEL (default gpt-4) is asked; FALLBACK_MODEL is one that the upstream does not stream (default: MODEL), HEALTH the path.
set -u
BASE_URL=${BASE_URL:-http://127.0.0.1:8080}
API_KEY=${API_KEY:-none}
MODEL=${MODEL:-gpt-4}
FALLBACK_MODEL=${FALLBACK_MODEL:-$MODEL}
HEALTH=${HEALTH:-/health}
WITHIN_S=${WITHIN_S:-30}
failed=0

ask() { # BODY: the answer, with the status on a line of its own behind it
  curl --silent --show-error --max-time "$WITHIN_S" --no-buffer --write-out '\n%{http_code}\n' \
    --header "Authorization: Bearer $API_KEY" --header 'Content-Type: application/json' \
    --data "$1" "$BASE_URL/v1/chat/completions" 2>&1
}

check() { # NAME STATUS PATTERN HOW_OFTEN ANSWER
  local status times
  status=$(tail -n 1 <<<"$5")
  times=$(grep --count --extended-regexp "$3" <<<"$5")
  if [[ $status =~ ^$2$ ]] && [[ $times -eq $4 ]]; then
    echo "ok      $1: $status"
  else
    failed=1
    echo "FAILED  $1: status $status (expected $2), '$3' on $times lines (expected $4)"
    head -c 600 <<<"$5" | sed 's/^/        /'
  fi
}

question='"messages":[{"role":"user","content":"Say hello."}],"max_tokens":16'
tool='"tools":[{"type":"function","function":{"name":"look_up","parameters":{"type":"object","properties":{"query":{"type":"string"}}}}}],"tool_choice":"required"'

check basic 200 '^data: ?\[DONE\]' 1 "$(ask "{\"model\":\"$MODEL\",\"stream\":true,$question}")"
check tools 200 '"tool_calls"' 1 "$(ask "{\"model\":\"$MODEL\",\"stream\":false,$question,$tool}")"
check fallback 200 '^data: ?\[DONE\]' 1 "$(ask "{\"model\":\"$FALLBACK_MODEL\",\"stream\":true,$question}")"
check error '4..' '"error"' 1 "$(ask '{"model": ')"
check health 200 '.' 2 "$(curl --silent --show-error --max-time "$WITHIN_S" --write-out '\n%{http_code}\n' "$BASE_URL$HEALTH" 2>&1)"
exit $failed
