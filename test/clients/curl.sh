#!/usr/bin/env bash
# curl, as the greeting and the README show it, against the running executable.
# Usage: curl.sh BASE_URL KEY. Exits 1 at the first thing that is not as its users expect.
set -euo pipefail
base_url=$1
key=$2

expect() { # expect STATUS WORDS CURL-ARGUMENTS…
  local status=$1 words=$2 answer
  shift 2
  answer=$(curl --silent --show-error --max-time 60 --write-out '\n%{http_code}' "$@")
  if [ "${answer##*$'\n'}" != "$status" ] || [[ "$answer" != *"$words"* ]]; then
    echo "expected $status and '$words', got: ${answer:0:500}" >&2
    exit 1
  fi
}

json=(-H 'content-type: application/json' -H "authorization: Bearer $key")
body='{"model": "all-MiniLM-L6-v2", "input": ["The quick brown fox", "jumps over the lazy dog"]}'
expect 200 '"object":"list"' "$base_url/embeddings" "${json[@]}" -d "$body"
expect 401 '"invalid_api_key"' "$base_url/embeddings" -H 'content-type: application/json' -d "$body"
expect 400 '"param":"input"' "$base_url/embeddings" "${json[@]}" -d '{"model": "all-MiniLM-L6-v2"}'
expect 415 'application/json' "$base_url/embeddings" -H "authorization: Bearer $key" -d "$body"
expect 405 '"method_not_allowed"' -X DELETE "$base_url/embeddings" "${json[@]}"
expect 200 'all-MiniLM-L6-v2' "$base_url/models" "${json[@]}"
expect 200 '"openapi":"3.1.0"' "${base_url%/v1}/swagger/json"
expect 200 '<html' "${base_url%/v1}/swagger"
expect 200 'SwaggerUIBundle' "${base_url%/v1}/swagger/page.js"
gzip -c <<<"$body" | expect 200 '"object":"list"' "$base_url/embeddings" "${json[@]}" -H 'content-encoding: gzip' --data-binary @-
# A body whose length is not told beforehand.
expect 200 '"object":"list"' "$base_url/embeddings" "${json[@]}" -H 'transfer-encoding: chunked' -d "$body"
expect 413 '"payload_too_large"' "$base_url/embeddings" "${json[@]}" -H 'content-length: 99999999999' -d "$body"
echo "curl $(curl --version | head -n 1 | cut -d ' ' -f 2): as expected"
