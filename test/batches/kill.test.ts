/**
 * SIGKILL in the middle of a batch: at the end every line has its own vector, in order and once; what was paid twice is at most what was in
 * flight, and nobody is charged twice. EMBEDGATE_KILLS says how often (3), EMBEDGATE_SEED where: a failure names both.
 */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { BatchObject } from "../../src/batches/objects";
import { fakeOutside } from "../fake-outside";
import { copiesOf } from "../processes/copies";
import { query, startServing, temporaryFolder, vectorOf } from "../serving";
import { ENDPOINT, inputOf, type Line } from "./opened";

const KILLS = Number(process.env.EMBEDGATE_KILLS ?? 3);
const SEED = Number(process.env.EMBEDGATE_SEED ?? Math.floor(Math.random() * 2 ** 32));
const LINES = 3_000;
/** As src/batches/running.ts has it. */
const UNDER_WAY_MAX = 128;

const Asked = Type.Object({ input: Type.Array(Type.String()) });
const Row = Type.Object({ request_id: Type.String(), tokens_billed: Type.Integer() });
const textOf = (line: number) => `line ${line}`;

interface World extends Disposable {
  readonly folder: string;
  readonly paid: readonly string[];
  /** Resolves once so many texts more were paid for. */
  paidMore(count: number): Promise<void>;
}

function world(server: string): World {
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
`,
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

/** Once it is completed: every line has its own vector, in order and once, one row that is charged, and nothing is held any more. */
async function checkCompleted(
  url: string,
  id: string,
  { folder, paid }: World,
  kills: number,
): Promise<void> {
  // Whoever was killed closes its connections unasked.
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
  const rows = Value.Parse(
    Type.Array(Row),
    query(folder, "SELECT request_id, tokens_billed FROM ledger WHERE status = 200"),
  );
  expect(rows.map((row) => row.request_id).toSorted()).toEqual(lines.map((line) => line.id));
  expect(rows.every(({ tokens_billed }) => tokens_billed === 1)).toBe(true);
  expect(query(folder, "SELECT micro_credits, micro_credits_held FROM workspaces")).toEqual([
    { micro_credits: 1_000_000_000 - LINES * 1_000, micro_credits_held: 0 },
  ]);
  expect(query(folder, "SELECT * FROM reserves")).toEqual([]);
  // The sums by minute say the same as the rows.
  const sums = "sum(tokens_billed) AS billed, sum(tokens_upstream) AS upstream";
  expect(query(folder, `SELECT ${sums} FROM rollups WHERE unit_ms = 60000`)).toEqual(
    query(folder, `SELECT ${sums} FROM ledger`),
  );
  expect(query(folder, "PRAGMA integrity_check")).toEqual([{ integrity_check: "ok" }]);
  const twice = paid.length - new Set(paid).size;
  console.log(`${kills} kills: ${paid.length} texts paid for ${LINES}, ${twice} of them twice`);
  expect(new Set(paid).size).toBe(LINES);
  expect(twice).toBeLessThanOrEqual(kills * UNDER_WAY_MAX);
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

test("of two processes both are killed: those in their place go on", async () => {
  using there = world("processes: 2");
  const reached = there.paidMore(200);
  await using child = await startServing(there.folder);
  const id = await begin(child.url);
  await reached;
  const copies = copiesOf(child.pid);
  for (const copy of copies) process.kill(copy, "SIGKILL");
  await checkCompleted(child.url, id, there, copies.length);
}, 90_000);
