/**
 * The load generator of src/bench/load.ts on sockets of its own, as a process that is given a `Job` and prints what came of it as JSON.
 * Every answer is checked: status and length, and byte for byte against one whose every vector was compared with what was due.
 */
import { isBitEqual, readAnswer } from "../src/bench/answer";
import { type Failure, keepBusy, type Lane, openTally, percentile } from "../src/bench/load";
import { type Encoding, type Request, requestOf } from "../src/bench/request";
import { realOutside } from "../src/network/real-outside";
import { connect } from "./connection";
import { TOKENS, VARIANTS, vectorsOf } from "./texts";

export interface Job {
  readonly port: number;
  readonly key: string;
  readonly seconds: number;
  readonly dimensions: number;
  readonly groups: readonly Group[];
  /** Of the texts that are not sent again and again; others send other ones: equal texts under way at once are asked for once. */
  readonly firstNumber: number;
  /** Ends it before the time is over. */
  readonly requests?: number;
}

/** Clients that all do the same. The first group is the one that is measured. */
export interface Group {
  readonly connections: number;
  readonly inputs: number;
  readonly encoding: Encoding;
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

/** So many different requests there are where texts are sent again and again. */
const REPEATED = 8;

const headFor = (key: string) => (bytes: number) =>
  [
    "POST /v1/embeddings HTTP/1.1",
    "Host: 127.0.0.1",
    "Content-Type: application/json",
    `Authorization: Bearer ${key}`,
    `Content-Length: ${bytes}`,
    "\r\n",
  ].join("\r\n");

/** Reads an answer in full. @returns what is wrong with it */
function faultIn(body: Uint8Array, first: number, inputs: number, due: readonly Float32Array[]) {
  const { vectors, inOrder, faults } = readAnswer(body, inputs);
  const [fault] = faults.values();
  if (fault !== undefined) return fault;
  if (!inOrder) return "vectors in another order";
  const place = vectors.findIndex((vector, i) => {
    const right = due[(first + i) % VARIANTS];
    return !right || !isBitEqual(vector, right);
  });
  return place === -1 ? undefined : `a wrong vector at ${place}`;
}

const ID = Buffer.from('"id":"req_');
/** Behind the last vector. */
const END_BYTES = 256;

/** The request's id is the only difference between correct answers: it is overwritten, so that they are the same bytes. */
function withoutId(body: Uint8Array): Uint8Array {
  const end = body.subarray(Math.max(0, body.length - END_BYTES));
  const at = Buffer.from(end.buffer, end.byteOffset, end.length).lastIndexOf(ID);
  if (at !== -1) end.fill(0x30, at + ID.length, end.indexOf(0x22, at + ID.length));
  return body;
}

interface Client {
  readonly group: Group;
  readonly lane: Lane;
  close(): void;
}

/** @returns what opens one more client of the group; they share what was proved */
function clientsOf(group: Group, job: Job, numbers: (inputs: number) => number) {
  const { inputs, encoding, model, repeats } = group;
  const due = vectorsOf(job.dimensions);
  const proved = new Map<number, Uint8Array>();
  const head = headFor(job.key);

  function judged(status: number, body: Uint8Array, first: number): Failure | undefined {
    const same = proved.get(first % VARIANTS);
    if (same && Buffer.compare(same, body) === 0) return undefined;
    const fault = status === 200 ? faultIn(body, first, inputs, due) : `the status ${status}`;
    if (fault !== undefined) return { kind: "wrong", message: fault };
    proved.set(first % VARIANTS, Uint8Array.from(body));
    return undefined;
  }

  return async function open(seed: number): Promise<Client> {
    const connection = await connect("127.0.0.1", job.port);
    const request: Request = requestOf({ model, inputs, tokens: TOKENS, encoding }, head);
    let turn = seed;
    const lane: Lane = async () => {
      const first = repeats ? (turn % REPEATED) * inputs : numbers(inputs);
      turn += 1;
      request.write(first);
      const askedAt = performance.now();
      const { status, body } = await connection.ask(request.bytes);
      const took_ms = performance.now() - askedAt;
      return { took_ms, bytes: body.byteLength, failure: judged(status, withoutId(body), first) };
    };
    return { group, lane, close: connection.close };
  };
}

async function main(job: Job): Promise<Outcome> {
  let next = job.firstNumber;
  /** Those of large requests begin with one variant, so that few answers are kept. */
  function numbers(inputs: number): number {
    const first = inputs > VARIANTS ? VARIANTS * Math.ceil(next / VARIANTS) : next;
    next = first + inputs;
    return first;
  }
  const clients: Client[] = [];
  const errors: string[] = [];
  // Each variant's first answer is read in full, which takes longer than to ask for it: before the time that is measured, and by one
  // connection, before the others are there: idle for so long they would be closed.
  for (const group of job.groups) {
    const open = clientsOf(group, job, numbers);
    const first = await open(0);
    const variants = group.repeats ? REPEATED : group.inputs > VARIANTS ? 1 : VARIANTS;
    for (let i = 0; i < variants; i += 1) {
      const { failure } = await first.lane();
      if (failure) errors.push(failure.message);
    }
    first.close();
    clients.push(...(await Promise.all(Array.from({ length: group.connections }, (_, seed) => open(seed)))));
  }
  const stop = new AbortController();
  const tally = openTally();
  let requestsInAll = 0;
  const limits = {
    ms: errors.length > 0 ? 0 : job.seconds * 1000,
    requests: job.requests ?? Number.POSITIVE_INFINITY,
    stop: stop.signal,
  };
  const lanes = clients.map(({ lane }) => lane);
  const { took_ms } = await keepBusy(lanes, limits, realOutside, (outcome, place) => {
    requestsInAll += 1;
    if (outcome.failure) {
      errors.push(outcome.failure.message);
      stop.abort();
    } else if (clients[place]?.group === job.groups[0]) tally.record(outcome);
  }).catch((cause: unknown) => {
    errors.push(String(cause));
    return { took_ms: 0 };
  });
  for (const client of clients) client.close();
  const { right, latencies_ms } = tally.total();
  return {
    requests: right,
    seconds: took_ms / 1000,
    p50_ms: percentile(latencies_ms, 0.5),
    p99_ms: percentile(latencies_ms, 0.99),
    requestsInAll,
    errors: errors.slice(0, 5),
  };
}

if (import.meta.main) console.log(JSON.stringify(await main(JSON.parse(process.argv[2] ?? ""))));
