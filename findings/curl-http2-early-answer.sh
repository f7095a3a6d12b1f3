#!/usr/bin/env bash
# curl loses an answer over HTTP/2 that ends before it has sent its body.
#
# Version:   curl 7.88.1 (Debian 12), nghttp2 1.52.0; the server is Node's own http2
# Input:     POST with a body of 40 bytes to a server that answers 404 as soon as it has the head, which RFC 9113, 8.1, allows.
# Seen:      depending on timing, some of 200 requests end with status 000 and "Stream error in the HTTP/2 framing layer" (92): curl finds the
#            stream closed when it wants to send the body, and drops the answer that it has received. Node's client gets all 200.
# Here:      src/door/body-arrived.ts: an error waits briefly for a small body before it is sent.
#
# Run it without arguments, with curl 7.88. It starts a server on a free port, prints what it saw, and fails if that differs from the above.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill "$server" 2>/dev/null; rm -rf "$folder"' EXIT
cat > "$folder/server.mjs" <<'JS'
import http2 from "node:http2";

const server = http2.createServer();
server.on("sessionError", () => {});
server.on("stream", (stream) => {
  stream.on("error", () => {});
  stream.respond({ ":status": 404, "content-type": "text/plain" });
  stream.end("not here\n");
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
JS
node "$folder/server.mjs" > "$folder/port" &
server=$!
until [ -s "$folder/port" ]; do sleep 0.1; done
port=$(cat "$folder/port")
lost=0
for _ in $(seq 200); do
  status=$(curl -s -o /dev/null -w '%{http_code}' --http2-prior-knowledge "http://127.0.0.1:$port/" -d '{"a body": "that nobody reads, really"}') || true
  [ "$status" = 404 ] || lost=$((lost + 1))
done
echo "curl $(curl --version | cut -d ' ' -f 2 | head -n 1): $lost of 200 answers lost"
cat > "$folder/client.mjs" <<'JS'
import http2 from "node:http2";

let got = 0;
for (let i = 0; i < 200; i++)
  await new Promise((resolve) => {
    const session = http2.connect(`http://127.0.0.1:${process.argv[2]}`);
    const stream = session.request({ ":method": "POST", ":path": "/" });
    stream.on("response", (head) => (got += head[":status"] === 404 ? 1 : 0));
    stream.on("error", () => {});
    stream.on("close", () => session.close(resolve));
    stream.resume();
    stream.end('{"a body": "that nobody reads, really"}');
  });
console.log(`node: ${200 - got} of 200 answers lost`);
JS
node "$folder/client.mjs" "$port" | tee "$folder/node"
[ "$lost" -gt 0 ] && grep -q ': 0 of' "$folder/node"
echo "as it was found"
