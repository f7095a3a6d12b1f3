/**
 * SIGKILL at random moments under load: an answer that a client has read to its end has its settled row, and the file is intact.
 * EMBEDGATE_KILLS is the number of kills (5), EMBEDGATE_SEED the seed: a failure prints both. A new promise about crashes is a line of `checkAfter`.
 */
import { expect, test } from "bun:test";
import { type Static, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { fakeOutside } from "./fake-outside";
import { postTo, startServing, startUpstream, temporaryFolder, vectorOf, wireTo } from "./serving";
import { query } from "./stores/query";

const KILLS = Number(process.env.EMBEDGATE_KILLS ?? 5);
const SEED = Number(process.env.EMBEDGATE_SEED ?? Math.floor(Math.random() * 2 ** 32));
const CLIENTS = 24;
/** The kill comes after at most this many answers or calls. */
const KILL_AFTER_MAX = 150;

const Row = Type.Object({
  request_id: Type.String(),
  status: Type.Integer(),
  error: Type.Union([Type.String(), Type.Null()]),
  inputs: Type.Integer(),
  tokens: Type.Integer(),
});
const Answer = Type.Object({ data: Type.Array(Type.Object({ embedding: Type.Array(Type.Number()) })) });

interface Acknowledged {
  readonly requestId: string;
  readonly inputs: number;
}

/** One client: sends requests until the connection breaks. Answers that it has read to the end go to `acknowledged`. */
async function client(url: string, name: string, acknowledge: (one: Acknowledged) => void): Promise<void> {
  for (let i = 0; ; i++) {
    const input = Array.from({ length: 1 + (i % 3) }, (_, place) => `${name} ${i} ${place}`);
    let response: Response;
    let body: unknown;
    try {
      response = await postTo(url, { model: "m", input });
      body = await response.json();
    } catch {
      return;
    }
    expect(response.status).toBe(200);
    expect(Value.Parse(Answer, body).data.map(({ embedding }) => embedding)).toEqual(input.map(vectorOf));
    acknowledge({ requestId: response.headers.get("x-request-id") ?? "", inputs: input.length });
  }
}

/** After the next start. */
async function checkAfter(
  folder: string,
  acknowledged: readonly Acknowledged[],
): Promise<readonly Static<typeof Row>[]> {
  expect(await query(folder, "PRAGMA integrity_check")).toEqual([{ integrity_check: "ok" }]);
  expect(await query(folder, "SELECT * FROM ledger WHERE status = 0 AND error IS NULL")).toEqual([]);
  const rows = Value.Parse(
    Type.Array(Row),
    await query(folder, "SELECT request_id, status, error, inputs, tokens FROM ledger"),
  );
  const byId = new Map(rows.map((row) => [row.request_id, row]));
  expect(byId.size).toBe(rows.length);
  for (const { requestId, inputs } of acknowledged) {
    expect(byId.get(requestId)).toEqual({
      request_id: requestId,
      status: 200,
      error: null,
      inputs,
      tokens: inputs,
    });
  }
  // Rows that are neither answered nor interrupted were answered to a client that had not finished reading.
  for (const { status, error } of rows)
    expect([200, status === 0 ? "interrupted" : null]).toContain(error ?? status);
  return rows;
}

test(
  `${KILLS} kills at points chosen by the seed ${SEED} lose no acknowledged row`,
  async () => {
    const { random } = fakeOutside({}, SEED).outside;
    using folder = temporaryFolder();
    const acknowledged: Acknowledged[] = [];
    let interrupted = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const killAfter = 1 + Math.floor(random() * KILL_AFTER_MAX);
      // A call that has reached the provider belongs to a request that was begun; an answer belongs to one that was settled.
      const atCall = random() < 0.5;
      const reached = Promise.withResolvers<void>();
      let seen = 0;
      const count = () => {
        seen += 1;
        if (seen === killAfter) reached.resolve();
      };
      using upstream = startUpstream({ onCall: () => atCall && count() });
      folder.write("gateway.yaml", wireTo(upstream));
      await using child = await startServing(folder.path);
      const clients = Array.from({ length: CLIENTS }, (_, i) =>
        client(child.url, `${kill}/${i}`, (one) => {
          acknowledged.push(one);
          if (!atCall) count();
        }),
      );
      await Promise.race([reached.promise, Promise.all(clients)]);
      child.signal("SIGKILL");
      await child.ended();
      await Promise.all(clients);
      await using next = await startServing(folder.path);
      const rows = await checkAfter(folder.path, acknowledged);
      interrupted = rows.filter(({ error }) => error === "interrupted").length;
      expect((await postTo(next.url, { model: "m", input: "and on" })).status).toBe(200);
    }
    console.log(`${KILLS} kills: ${acknowledged.length} acknowledged, ${interrupted} interrupted`);
    expect(acknowledged.length).toBeGreaterThan(0);
    expect(interrupted).toBeGreaterThan(0);
  },
  30_000 + KILLS * 5_000,
);
