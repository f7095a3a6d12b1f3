/**
 * SIGKILL in the middle of a batch: at the end every line has its own vector, in order and once; at most what was in flight is paid twice
 * at the provider, and nobody is charged twice. EMBEDGATE_KILLS is the number of kills (3), EMBEDGATE_SEED the seed: a failure prints both.
 */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { BatchObject } from "../../src/batches/objects";
import { fakeOutside } from "../fake-outside";
import { copiesOf } from "../processes/copies";
import { startServing, temporaryFolder, vectorOf } from "../serving";
import { POSTGRES_URL, postgresDatabase } from "../stores/databases";
import { query } from "../stores/query";
import { ENDPOINT, inputOf, type Line } from "./opened";

const KILLS = Number(process.env.EMBEDGATE_KILLS ?? 3);
const SEED = Number(process.env.EMBEDGATE_SEED ?? Math.floor(Math.random() * 2 ** 32));
const LINES = 3_000;
/** The same value as in src/batches/running.ts. */
const UNDER_WAY_MAX = 128;

const Asked = Type.Object({ input: Type.Array(Type.String()) });
const Row = Type.Object({ request_id: Type.String(), tokens_billed: Type.Integer() });
const textOf = (line: number) => `line ${line}`;

interface World extends Disposable {
  readonly folder: string;
  readonly paid: readonly string[];
  /** Resolves once this many more texts were paid for. */
  paidMore(count: number): Promise<void>;
}

function world(server: string, more = ""): World {
  const paid: string[] = [];
  let reached = () => {};
  let until = Number.POSITIVE_INFINITY;
  const provider = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const { input } = Value.Parse(Asked, await request.json());
      paid.push(...input);
      if (paid.length >= until) reached();
      return Response.json({
        data: input.map((text, index) => ({ index, embedding: vectorOf(text) })),
        usage: { prompt_tokens: input.length },
      });
    },
  });
  const folder = temporaryFolder({
    "gateway.yaml": `
server: { drain_ms: 0, ${server} }
space_probe: false
workspace_defaults: { credits: 1000 }
providers: { wire: { plugin: openai, base_url: "http://127.0.0.1:${provider.port}/v1", concurrency: 8 } }
models: { m: { routes: [ { provider: wire } ], price: 1000, max_inputs: 16 } }
${more}`,
  });
  return {
    folder: folder.path,
    paid,
    paidMore(count) {
      const { promise, resolve } = Promise.withResolvers<void>();
      until = paid.length + count;
      reached = resolve;
      return promise;
    },
    [Symbol.dispose]() {
      provider.stop(true);
      folder[Symbol.dispose]();
    },
  };
}

/** @returns the batch's id */
async function begin(url: string): Promise<string> {
  const form = new FormData();
  form.set("purpose", "batch");
  const lines = Array.from({ length: LINES }, (_, line) => textOf(line));
  form.set("file", new Blob([inputOf(lines)]), "in.jsonl");
  const uploaded: { id: string } = await (
    await fetch(`${url}/v1/files`, { method: "POST", body: form })
  ).json();
  const body = JSON.stringify({ input_file_id: uploaded.id, ...ENDPOINT });
  const headers = { "content-type": "application/json" };
  const created = await fetch(`${url}/v1/batches`, { method: "POST", headers, body });
  return Value.Parse(BatchObject, await created.json()).id;
}

/** Once the batch is completed: every line has its own vector, in order and once. */
async function checkLines(url: string, id: string): Promise<readonly Line[]> {
  // A killed gateway closes its connections without being asked.
  const look = async () => {
    const answer = await fetch(`${url}/v1/batches/${id}`).catch(() => undefined);
    return answer && Value.Parse(BatchObject, await answer.json());
  };
  let batch = await look();
  for (; batch?.status !== "completed"; batch = await look()) await Bun.sleep(50);
  expect(batch.request_counts).toEqual({ total: LINES, completed: LINES, failed: 0 });
  const output = await (await fetch(`${url}/v1/files/${batch.output_file_id}/content`)).text();
  const lines: Line[] = output
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(lines.map(({ custom_id }) => custom_id)).toEqual(
    Array.from({ length: LINES }, (_, line) => `c${line}`),
  );
  for (const [line, { response }] of lines.entries())
    expect(response?.body.data?.[0]?.embedding).toEqual(vectorOf(textOf(line)));
  return lines;
}

function checkPaid({ paid }: World, kills: number): void {
  const twice = paid.length - new Set(paid).size;
  console.log(`${kills} kills: ${paid.length} texts paid for ${LINES}, ${twice} of them twice`);
  expect(new Set(paid).size).toBe(LINES);
  expect(twice).toBeLessThanOrEqual(kills * UNDER_WAY_MAX);
}

/** Each line has one row that is charged, and nothing is held any more. */
async function checkCompleted(url: string, id: string, there: World, kills: number): Promise<void> {
  const { folder } = there;
  const lines = await checkLines(url, id);
  const rows = Value.Parse(
    Type.Array(Row),
    await query(folder, "SELECT request_id, tokens_billed FROM ledger WHERE status = 200"),
  );
  expect(rows.map((row) => row.request_id).toSorted()).toEqual(lines.map((line) => line.id));
  expect(rows.every(({ tokens_billed }) => tokens_billed === 1)).toBe(true);
  expect(await query(folder, "SELECT micro_credits, micro_credits_held FROM workspaces")).toEqual([
    { micro_credits: 1_000_000_000 - LINES * 1_000, micro_credits_held: 0 },
  ]);
  expect(await query(folder, "SELECT * FROM reserves")).toEqual([]);
  // The sums by minute equal the rows.
  const sums = "sum(tokens_billed) AS billed, sum(tokens_upstream) AS upstream";
  expect(await query(folder, `SELECT ${sums} FROM rollups WHERE unit_ms = 60000`)).toEqual(
    await query(folder, `SELECT ${sums} FROM ledger`),
  );
  expect(await query(folder, "PRAGMA integrity_check")).toEqual([{ integrity_check: "ok" }]);
  checkPaid(there, kills);
  const left = new Bun.Glob("*.work").scan(join(folder, "data/embedgate.db-files"));
  expect(await Array.fromAsync(left)).toEqual([]);
}

test(
  `${KILLS} kills at points chosen by the seed ${SEED}: each line is answered and charged once`,
  async () => {
    const { random } = fakeOutside({}, SEED).outside;
    using there = world("");
    let id = "";
    for (let kill = 0; kill < KILLS; kill++) {
      const reached = there.paidMore(100 + Math.floor(random() * 500));
      await using child = await startServing(there.folder);
      if (id === "") id = await begin(child.url);
      await reached;
      child.signal("SIGKILL");
      await child.ended();
    }
    await using child = await startServing(there.folder);
    await checkCompleted(child.url, id, there, KILLS);
  },
  60_000 + KILLS * 20_000,
);

test("both of two processes are killed: their replacements go on", async () => {
  using there = world("processes: 2");
  const reached = there.paidMore(200);
  await using child = await startServing(there.folder);
  const id = await begin(child.url);
  await reached;
  const copies = copiesOf(child.pid);
  for (const copy of copies) process.kill(copy, "SIGKILL");
  await checkCompleted(child.url, id, there, copies.length);
}, 90_000);

test.skipIf(POSTGRES_URL === undefined)(
  "of two machines on one PostgreSQL the one at work is killed: the other goes on",
  async () => {
    await using database = postgresDatabase();
    using shared = temporaryFolder();
    const more = `${database.yaml}files: { folder: ${shared.path} }\n`;
    using there = world("", more);
    const reached = there.paidMore(300);
    await using first = await startServing(there.folder);
    const id = await begin(first.url);
    await reached;
    using elsewhere = temporaryFolder({
      "gateway.yaml": await Bun.file(join(there.folder, "gateway.yaml")).text(),
    });
    await using second = await startServing(elsewhere.path);
    first.signal("SIGKILL");
    await first.ended();
    const lines = await checkLines(second.url, id);
    const rows = await database.ask<{ request_id: string; taken: bigint }>(
      'SELECT request_id, micro_credits_taken AS taken FROM @ledger WHERE status = 200 ORDER BY request_id COLLATE "C"',
    );
    expect(rows).toEqual(lines.map((line) => ({ request_id: line.id, taken: 1_000n })));
    expect(
      await database.ask("SELECT micro_credits, micro_credits_held, pico_usd_held FROM @workspaces"),
    ).toEqual([
      { micro_credits: 1_000_000_000n - BigInt(LINES) * 1_000n, micro_credits_held: 0n, pico_usd_held: 0n },
    ]);
    expect(await database.ask("SELECT * FROM @reserves")).toEqual([]);
    checkPaid(there, 1);
    expect(await Array.fromAsync(new Bun.Glob("*.work").scan(shared.path))).toEqual([]);
  },
  120_000,
);
