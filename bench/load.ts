/**
 * The load generator: keeps connections busy for a while and prints what came of it as JSON. A process of its own, given a `Job`.
 * Every answer is checked: status and length, and byte for byte against one whose every vector was compared with what was due.
 */
import { type Connection, connect } from "./connection";
import { NUMBER_DIGITS, textOf, VARIANTS, vectorsOf } from "./texts";

export interface Job {
  readonly port: number;
  readonly key: string;
  readonly seconds: number;
  readonly dimensions: number;
  readonly groups: readonly Group[];
}

/** Clients that all do the same. The first group is the one that is measured. */
export interface Group {
  readonly connections: number;
  readonly inputs: number;
  readonly encoding: "float" | "base64";
  readonly model: string;
  /** The same few texts again and again, so that they are found in a cache. */
  readonly repeats: boolean;
}

export interface Outcome {
  readonly requests: number;
  readonly seconds: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
  /** Of all groups: for the cost of each. */
  readonly requestsInAll: number;
  readonly errors: readonly string[];
}

/** Numbers that no other process of the benchmark sends: equal texts under way at once are asked for once. */
let nextNumber = (process.pid % 10_000) * 90_000;

/** So many different requests there are where texts are sent again and again. */
const REPEATED = 8;

/** @returns the first of so many numbers; those of large requests begin with one variant, so that few answers are kept */
function numbersFor(inputs: number): number {
  const first = inputs > VARIANTS ? VARIANTS * Math.ceil(nextNumber / VARIANTS) : nextNumber;
  nextNumber = first + inputs;
  return first;
}

function requestOf({ inputs, encoding, model }: Group, { key }: Job) {
  const texts = Array.from({ length: inputs }, () => textOf(0));
  const input = inputs === 1 ? texts[0] : texts;
  const body = Buffer.from(JSON.stringify({ model, input, encoding_format: encoding }));
  const head = [
    "POST /v1/embeddings HTTP/1.1",
    "Host: 127.0.0.1",
    "Content-Type: application/json",
    `Authorization: Bearer ${key}`,
    `Content-Length: ${body.byteLength}`,
  ];
  const bytes = Buffer.concat([Buffer.from(`${head.join("\r\n")}\r\n\r\n`), body]);
  const places: number[] = [];
  for (let at = bytes.indexOf('"#'); at !== -1; at = bytes.indexOf('"#', at + 1)) places.push(at + 2);
  return { bytes, places };
}

function write(bytes: Buffer, places: readonly number[], first: number): void {
  for (const [i, place] of places.entries())
    bytes.write(String(first + i).padStart(NUMBER_DIGITS, "0"), place, "latin1");
}

/** Reads an answer in full. @returns what is wrong with it */
function faultIn(
  body: Uint8Array,
  first: number,
  group: Group,
  due: readonly Float32Array[],
): string | undefined {
  const { data }: { data: { index: number; embedding: number[] | string }[] } = JSON.parse(
    new TextDecoder().decode(body),
  );
  if (data.length !== group.inputs) return `${data.length} vectors for ${group.inputs} inputs`;
  for (const [place, { index, embedding }] of data.entries()) {
    if (index !== place) return `the index ${index} at ${place}`;
    const values =
      typeof embedding === "string"
        ? new Float32Array(Uint8Array.fromBase64(embedding).buffer)
        : Float32Array.from(embedding);
    const right = due[(first + place) % VARIANTS];
    if (!right || Buffer.compare(new Uint8Array(values.buffer), new Uint8Array(right.buffer)) !== 0)
      return `a wrong vector at ${place}`;
  }
  return undefined;
}

interface Client {
  readonly group: Group;
  readonly connection: Connection;
  /** Asks once. @returns how long it took */
  ask(): Promise<number>;
}

async function openClient(
  group: Group,
  job: Job,
  proved: Map<number, Uint8Array>,
  seed: number,
): Promise<Client> {
  const connection = await connect("127.0.0.1", job.port);
  const { bytes, places } = requestOf(group, job);
  const due = vectorsOf(job.dimensions);
  let turn = seed;

  async function ask(): Promise<number> {
    const first = group.repeats ? (turn % REPEATED) * group.inputs : numbersFor(group.inputs);
    turn += 1;
    write(bytes, places, first);
    const askedAt = performance.now();
    const { status, body } = await connection.ask(bytes);
    const took_ms = performance.now() - askedAt;
    const same = proved.get(first % VARIANTS);
    if (same && Buffer.compare(same, body) === 0) return took_ms;
    const fault = status === 200 ? faultIn(body, first, group, due) : `the status ${status}`;
    if (fault !== undefined) throw new Error(fault);
    proved.set(first % VARIANTS, Uint8Array.from(body));
    return took_ms;
  }
  return { group, connection, ask };
}

async function main(job: Job): Promise<Outcome> {
  const errors: string[] = [];
  const latencies: number[] = [];
  let requestsInAll = 0;
  const clients: Client[] = [];
  for (const group of job.groups) {
    const proved = new Map<number, Uint8Array>();
    const own = Array.from({ length: group.connections }, (_, seed) => openClient(group, job, proved, seed));
    clients.push(...(await Promise.all(own)));
  }
  async function turn(client: Client): Promise<void> {
    const took_ms = await client.ask();
    requestsInAll += 1;
    if (client.group === job.groups[0]) latencies.push(took_ms);
  }
  // Each variant's first answer is read in full, which takes longer than to ask for it: before the time that is measured.
  for (const group of new Set(job.groups)) {
    const [client] = clients.filter((one) => one.group === group);
    const variants = group.inputs > 64 ? 1 : group.repeats ? REPEATED : VARIANTS;
    for (let i = 0; client && i < variants; i += 1) await turn(client);
  }
  latencies.length = 0;
  const startedAt = performance.now();
  const endsAt = startedAt + job.seconds * 1000;
  await Promise.all(
    clients.map(async (client) => {
      try {
        while (performance.now() < endsAt) await turn(client);
      } catch (cause) {
        errors.push(String(cause));
      }
      client.connection.close();
    }),
  );
  const seconds = (performance.now() - startedAt) / 1000;
  latencies.sort((a, b) => a - b);
  const at = (share: number) =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0;
  return {
    requests: latencies.length,
    seconds,
    p50_ms: at(0.5),
    p99_ms: at(0.99),
    requestsInAll,
    errors: errors.slice(0, 5),
  };
}

if (import.meta.main) console.log(JSON.stringify(await main(JSON.parse(process.argv[2] ?? ""))));
