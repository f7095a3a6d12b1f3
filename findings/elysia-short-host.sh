#!/usr/bin/env bash
# Elysia answers 404 although it has a route, if the request's Host has fewer than four characters.
#
# Version:   elysia 1.4.30 on Bun 1.4.5
# Input:     GET /path with "Host: gw", such as the name of a Compose service; the path has a route for POST and one for all methods.
#            RFC 9110, 7.2, allows a host of two characters.
# Seen:      Host: gate -> 405, as the route says.   Host: gw -> 404.
#            With handler.standardHostname: false -> 405 for both over http, and 404 for both over https.
# Why:       Elysia takes the first "/" from the 11th character of the address on as the start of the path (from the 7th with standardHostname:
#            false). "http://gw/path" has none there, and the 7th character of "https://gw/path" is the second slash of "https://".
# Here:      no effect: src/door/http.ts takes the path from the parsed address where Elysia finds no route.
#
# Run it without arguments. It installs into a temporary folder, prints what it saw, and fails if that differs from the above.
set -euo pipefail
bun=${BUN:-"npx -y bun@1.4.5"}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{ "private": true, "dependencies": { "elysia": "1.4.30" } }' > package.json
$bun install --silent
openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost 2>/dev/null
cat > run.ts <<'TS'
import { Elysia } from "elysia";

const tls = { cert: Bun.file("cert.pem"), key: Bun.file("key.pem") };
let seen = "";
for (const [name, standardHostname] of [["default", undefined], ["standardHostname: false", false]] as const) {
  for (const scheme of ["http", "https"]) {
    const app = new Elysia(standardHostname === undefined ? {} : { handler: { standardHostname } })
      .post("/path", () => "posted")
      .all("/path", ({ status }) => status(405))
      .listen({ port: 0, hostname: "localhost", ...(scheme === "https" ? { tls } : {}) });
    const statuses = [];
    for (const host of ["gate", "gw"]) {
      const { status } = await fetch(`${scheme}://localhost:${app.server?.port}/path`, {
        headers: { host },
        tls: { rejectUnauthorized: false },
      });
      statuses.push(`${host} ${status}`);
    }
    seen += `${name}, ${scheme}: ${statuses.join(", ")}\n`;
    await app.stop(true);
  }
}
process.stdout.write(seen);
process.exit(0);
TS
$bun run.ts > seen
cat seen
diff - seen <<'EXPECTED'
default, http: gate 405, gw 404
default, https: gate 405, gw 404
standardHostname: false, http: gate 405, gw 405
standardHostname: false, https: gate 404, gw 404
EXPECTED
echo "as it was found"
