#!/usr/bin/env bash
# The package postgres refuses a query with the error of an earlier connection, and does not send it, if that connection ended in mid-query.
#
# Version:   postgres 3.4.9 on Bun 1.4.5, and the same on Node 20.20.2; PostgreSQL 15
# Input:     a pool of one connection. pg_terminate_backend ends it during a query; then two INSERTs, one after the other.
# Seen:      the query in progress fails with CONNECTION_CLOSED, not with the 57P01 that the server sent for it. The first INSERT, asked
#            3 s later and for which a new connection is opened, fails with that 57P01 and is not done. The second INSERT is done.
#            Ended while idle instead, with 200 ms until the next query, none fails.
# Why:       src/connection.js keeps the server's error (ErrorResponse) and its query until the next ReadyForQuery. An ended connection has
#            none, and closed() clears neither, so that the new connection's first ReadyForQuery rejects the query that waits for it.
# Known:     porsager/postgres has it in a comment to its pull request 1215, and the same at start-up as its issue 1223.
# Here:      nothing depends on it: src/stores/postgres/connection.ts uses Bun's own SQL, and says why.
#
# Run it with no argument. It installs in a temporary folder, starts a PostgreSQL there as the tests do, prints what it saw, and fails if that
# is not what is written above.
bun=${BUN:-"npx -y bun@1.4.5"}
folder=$(mktemp -d)
stop_postgres() { :; }
trap 'stop_postgres || :; rm -rf "$folder"' EXIT
# Before `set -e`: it looks for a PostgreSQL, and goes on where there is none.
source "$(dirname "${BASH_SOURCE[0]}")/../.ci/postgres.sh" "$folder"
set -euo pipefail
cd "$folder"
: "${EMBEDGATE_TEST_POSTGRES:?no PostgreSQL could be started}"
echo '{ "private": true, "dependencies": { "postgres": "3.4.9" } }' > package.json
$bun install --silent
cat > run.mjs <<'JS'
import postgres from "postgres";

const connect = () => postgres(process.env.EMBEDGATE_TEST_POSTGRES, { max: 1, onnotice() {} });
const [other, sql] = [connect(), connect()];
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const outcome = (query) => query.then(({ count }) => `${count} row`, ({ code }) => code);

await other`DROP TABLE IF EXISTS numbers`;
await other`CREATE TABLE numbers (number int)`;

const [{ pid }] = await sql`SELECT pg_backend_pid() AS pid`;
await other`SELECT pg_terminate_backend(${pid})`;
await pause(200);
console.log("ended while idle, the next query:", await outcome(sql`SELECT 1`));

const during = outcome(sql`SELECT pg_sleep(20)`);
let ended = 0;
for (let tries = 0; tries < 50 && ended === 0; tries++) {
  await pause(100);
  ({ count: ended } = await other`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'`);
}
console.log("ended in mid-query, that query:", await during);
await pause(3000);
for (const number of [1, 2]) console.log(`INSERT ${number}:`, await outcome(sql`INSERT INTO numbers VALUES (${number})`));
console.log("in the table:", (await other`SELECT number FROM numbers`).map((row) => row.number).join());
process.exit(0);
JS
for runtime in "$bun" node; do
  timeout 60 $runtime run.mjs > seen
  echo "on ${runtime##* }:"
  cat seen
  diff - seen <<'EXPECTED'
ended while idle, the next query: 1 row
ended in mid-query, that query: CONNECTION_CLOSED
INSERT 1: 57P01
INSERT 2: 1 row
in the table: 2
EXPECTED
done
echo "as it was found"
