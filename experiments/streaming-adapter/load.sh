#!/usr/bin/env bash
# A18: ten streams at once; each has to come to its own [DONE].
#
#   BASE_URL=http://127.0.0.1:8080 API_KEY=sk-... bash load.sh         0: all streams were whole, 1: not
set -u
BASE_URL=${BASE_URL:-http://127.0.0.1:8080}
API_KEY=${API_KEY:-none}
MODEL=${MODEL:-gpt-4}
STREAMS=${STREAMS:-10}
WITHIN_S=${WITHIN_S:-30}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

for number in $(seq "$STREAMS"); do
  curl --silent --show-error --max-time "$WITHIN_S" --no-buffer \
    --header "Authorization: Bearer $API_KEY" --header 'Content-Type: application/json' \
    --data "{\"model\":\"$MODEL\",\"stream\":true,\"max_tokens\":32,\"messages\":[{\"role\":\"user\",\"content\":\"Count to $number.\"}]}" \
    "$BASE_URL/v1/chat/completions" >"$folder/$number" 2>&1 &
done
wait

whole=0
for number in $(seq "$STREAMS"); do
  if [[ $(grep --count '^data: *\[DONE\]' "$folder/$number") -eq 1 ]]; then
    whole=$((whole + 1))
  else
    echo "stream $number is not whole: $(tail -c 200 "$folder/$number" | tr '\n' ' ')"
  fi
done
echo "$whole of $STREAMS streams were whole"
[[ $whole -eq $STREAMS ]]
