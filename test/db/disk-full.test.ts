/**
 * A full disk: refused with a clean 503 before anything is sent, no answer without its row, and normal service once there is space.
 * The disk is made full by the process's own limit on file sizes, which another process lifts; ledger.test.ts has a locked database.
 */
import { expect, test } from "bun:test";
import { type Child, postTo, startServing, startUpstream, temporaryFolder, wireTo } from "../serving";
import { query } from "../stores/query";

/** Writing beyond the limit must be an error for the process, like a full disk, and not a signal. */
const NO_SIGNAL = ["sh", "-c", 'trap "" XFSZ; exec "$@"', "sh"];

async function limitFiles(child: Child, bytes: "0" | "unlimited"): Promise<void> {
  const changed = Bun.spawn(["prlimit", "--pid", String(child.pid), `--fsize=${bytes}:unlimited`]);
  expect(await changed.exited).toBe(0);
}

async function ask(child: Child, input: string): Promise<[number, unknown]> {
  const response = await postTo(child.url, { model: "m", input });
  return [response.status, await response.json()];
}

const full = [503, { error: { code: "database_unavailable", type: "server_error" } }] as const;
const rowsOf = (folder: string) => query(folder, "SELECT status, error FROM ledger ORDER BY rowid");

// The limit of another process can be changed on Linux only.
test.skipIf(process.platform !== "linux")(
  "requests on a full disk are refused, and served once there is room",
  async () => {
    let calls = 0;
    using upstream = startUpstream({
      onCall: () => {
        calls += 1;
      },
    });
    using folder = temporaryFolder({ "gateway.yaml": wireTo(upstream) });
    await using child = await startServing(folder.path, NO_SIGNAL);
    expect((await ask(child, "before"))[0]).toBe(200);
    await limitFiles(child, "0");
    for (const input of ["a", "b", "c"]) expect(await ask(child, input)).toMatchObject(full);
    // Refused before it cost anything.
    expect(calls).toBe(1);
    expect((await fetch(`${child.url}/healthz`)).status).toBe(200);
    // Whoever looks is told, and balancers send no requests here.
    const notices = await fetch(`${child.url}/admin/v1/notices`);
    expect(await notices.json()).toMatchObject({ notices: [{ kind: "database", severity: "error" }] });
    expect(await (await fetch(`${child.url}/metrics`)).text()).toContain("\nembedgate_database_up 0\n");
    expect((await fetch(`${child.url}/readyz`)).status).toBe(503);
    await limitFiles(child, "unlimited");
    // It writes by itself to see whether there is room, as no request comes.
    while ((await fetch(`${child.url}/readyz`)).status !== 200);
    expect(await (await fetch(`${child.url}/admin/v1/notices`)).json()).toEqual({ notices: [] });
    expect((await ask(child, "after"))[0]).toBe(200);
    child.signal("SIGTERM");
    expect(await child.ended()).toBe(0);
    expect(await query(folder.path, "PRAGMA integrity_check")).toEqual([{ integrity_check: "ok" }]);
    const rows = await query(
      folder.path,
      "SELECT status, error, refusals FROM ledger ORDER BY status, rowid",
    );
    const answered = { status: 200, error: null, refusals: null };
    expect(rows.slice(0, 2)).toEqual([answered, answered]);
    // Equal refusals are one row, or two if a minute ended between them.
    const refused = rows.slice(2);
    expect(refused.every((row) => Object(row).error === "database_unavailable")).toBe(true);
    expect(refused.reduce((sum: number, row) => sum + Number(Object(row).refusals), 0)).toBe(3);
  },
);

test.skipIf(process.platform !== "linux")("an answer whose row cannot be written is not sent", async () => {
  using upstream = startUpstream({ holds: true });
  using folder = temporaryFolder({ "gateway.yaml": wireTo(upstream) });
  await using child = await startServing(folder.path, NO_SIGNAL);
  const asked = ask(child, "a");
  await upstream.reached(1);
  await limitFiles(child, "0");
  upstream.release();
  expect(await asked).toMatchObject(full);
  expect(await rowsOf(folder.path)).toEqual([{ status: 0, error: null }]);
  await limitFiles(child, "unlimited");
  child.signal("SIGTERM");
  expect(await child.ended()).toBe(0);
  // What could not be written then is written at the latest at shutdown.
  expect(await rowsOf(folder.path)).toEqual([{ status: 503, error: "database_unavailable" }]);
});
