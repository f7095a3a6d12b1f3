/**
 * `embedgate reload` under load: new processes take over, and no request is lost, on new connections and on kept ones.
 * The load uses raw sockets, so that no client's automatic retry hides a broken connection.
 */
import { expect, test } from "bun:test";
import { connect } from "node:net";
import { join } from "node:path";
import { postTo, startServing, startUpstream, temporaryFolder, wireTo } from "../serving";
import { query } from "../stores/query";
import { byTwo, copiesOf } from "./copies";

const LINUX = process.platform === "linux";
const SWAPS = 3;

async function reload(
  folder: string,
  ...flags: string[]
): Promise<{ readonly code: number; readonly words: string }> {
  const child = Bun.spawn(
    [process.execPath, join(import.meta.dir, "../../src/main.ts"), "reload", ...flags],
    {
      cwd: folder,
      env: {},
      stdout: "pipe",
      stderr: "pipe",
    },
  );
  const [out, problems] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { code: await child.exited, words: out + problems };
}

interface Load {
  answered: number;
  readonly lost: string[];
}

const BODY = JSON.stringify({ model: "m", input: "a" });

/** Sends requests on one connection after another until `isOver`; each is used for this many requests, or until the gateway announces to close it. */
async function ask(port: number, requests: number, load: Load, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    await new Promise<void>((done) => {
      let got = "";
      let left = requests;
      let isWaiting = false;
      const socket = connect(port, "127.0.0.1");
      const send = () => {
        got = "";
        left -= 1;
        isWaiting = true;
        const last = left === 0 ? "connection: close\r\n" : "";
        socket.write(
          `POST /v1/embeddings HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n${last}content-length: ${BODY.length}\r\n\r\n${BODY}`,
        );
      };
      socket.on("connect", send);
      socket.on("data", (chunk) => {
        got += chunk;
        if (!got.endsWith("}")) return;
        isWaiting = false;
        if (got.startsWith("HTTP/1.1 200 ")) load.answered += 1;
        else load.lost.push(got);
        if (left === 0 || isOver() || /^connection: close/im.test(got)) socket.end();
        else setImmediate(send);
      });
      socket.on("error", (error) => load.lost.push(error.message));
      socket.on("close", () => {
        if (isWaiting) load.lost.push(`closed without an answer: ${got}`);
        done();
      });
    });
  }
}

/** One process runs as a systemd service, with systemd's socket in its environment. */
const WAYS = [
  [2, []],
  [1, ["env", "NOTIFY_SOCKET=/nowhere/at/all"]],
] as const;

test.skipIf(!LINUX).each(WAYS)(
  `of %d processes, ${SWAPS} reloads under load lose no request`,
  async (count, prefix) => {
    using upstream = startUpstream();
    using folder = temporaryFolder({ "gateway.yaml": wireTo(upstream, `processes: ${count}, drain_ms: 0`) });
    await using child = await startServing(folder.path, prefix);
    const load: Load = { answered: 0, lost: [] };
    let isOver = false;
    const clients = [
      ...Array.from({ length: 4 }, () => ask(child.port, 1, load, () => isOver)),
      ...Array.from({ length: 4 }, () => ask(child.port, 1_000_000, load, () => isOver)),
    ];
    const seen = new Set(copiesOf(child.pid));
    for (let swap = 1; swap <= SWAPS; swap++) {
      expect(await reload(folder.path, "--upgrade")).toMatchObject({ code: 0 });
      const copies = copiesOf(child.pid);
      expect(copies.filter((pid) => !seen.has(pid))).toHaveLength(count);
      for (const pid of copies) seen.add(pid);
    }
    const before = load.answered;
    while (load.answered < before + 100) await new Promise((turn) => setImmediate(turn));
    isOver = true;
    await Promise.all(clients);
    expect(load.lost).toEqual([]);
    // The last processes answer, also on each kept connection.
    const processes = await query(folder.path, "SELECT count(DISTINCT process) AS count FROM ledger");
    expect(processes).toEqual([{ count: count + count * SWAPS }]);
    child.signal("SIGTERM");
    expect(await child.ended()).toBe(0);
  },
);

test.skipIf(!LINUX)("an invalid routing file changes nothing, and the command says so", async () => {
  using upstream = startUpstream();
  using folder = temporaryFolder({ "gateway.yaml": byTwo(upstream) });
  await using child = await startServing(folder.path);
  const before = copiesOf(child.pid);
  folder.write("gateway.yaml", `${byTwo(upstream)}wrong: 1\n`);
  // The command reads the file too, to find the database.
  expect(await reload(folder.path)).toMatchObject({ code: 1, words: expect.stringContaining("wrong") });
  process.kill(child.pid, "SIGUSR2");
  await child.logged("new processes could not take over: keeping the old ones");
  expect(copiesOf(child.pid)).toEqual(before);
});

test.skipIf(!LINUX)("one process reloads its routing file, and says what a replacement needs", async () => {
  using upstream = startUpstream();
  using folder = temporaryFolder({ "gateway.yaml": wireTo(upstream) });
  await using child = await startServing(folder.path);
  const { code, words } = await reload(folder.path);
  expect(words).toContain("server.processes of 2 or more");
  expect(code).toBe(0);
  child.signal("SIGTERM");
  expect(await child.ended()).toBe(0);
  expect(await reload(folder.path)).toMatchObject({
    code: 1,
    words: expect.stringContaining("No gateway is running"),
  });
});

test.skipIf(!LINUX).each([
  ["one process", wireTo],
  ["two processes", byTwo],
])("of %s that ask for a key, no reload makes one that asks nobody", async (_, yamlOf) => {
  using upstream = startUpstream();
  const closed = `${yamlOf(upstream)}auth: { mode: keys }\n`;
  using folder = temporaryFolder({ "gateway.yaml": closed });
  await using child = await startServing(folder.path);
  const status = async () => (await postTo(child.url, { model: "m", input: "a" })).status;
  expect(await status()).toBe(401);
  folder.write("gateway.yaml", yamlOf(upstream));
  await child.logged("Restart it to have it open");
  expect(await reload(folder.path)).toMatchObject({ code: 1 });
  expect(await status()).toBe(401);
});

test("--upgrade refuses a gateway whose executable cannot be replaced while it runs", async () => {
  using upstream = startUpstream();
  using folder = temporaryFolder({ "gateway.yaml": wireTo(upstream) });
  await using gateway = await startServing(folder.path);
  expect(await reload(folder.path, "--upgrade")).toEqual({
    code: 1,
    words: expect.stringContaining(
      "restart it, or run it as a systemd service or with server.processes of 2 or more",
    ),
  });
  expect(await reload(folder.path)).toMatchObject({ code: 0 });
  gateway.signal("SIGTERM");
  await gateway.ended();
});

test.skipIf(!LINUX)("--upgrade replaces the executable of several processes", async () => {
  using upstream = startUpstream();
  using folder = temporaryFolder({ "gateway.yaml": wireTo(upstream, "drain_ms: 0, processes: 2") });
  await using _gateway = await startServing(folder.path);
  expect(await reload(folder.path, "--upgrade")).toEqual({
    code: 0,
    words: expect.stringContaining("2 new processes serve"),
  });
});
