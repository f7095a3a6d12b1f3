/**
 * The load generator of src/bench/load.ts on bare sockets: a process that gets a `Job` and prints the outcome as JSON.
 * Every answer is checked: status, length, and byte by byte against an answer whose vectors were all compared with the expected ones.
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
  /** The first number of texts that are sent once. Each load has other numbers, as equal texts in flight share one call. */
  readonly firstNumber: number;
  /** Ends the load early, after this many requests. */
  readonly requests?: number;
}

/** Clients that all send the same kind of request. The first group is the measured one. */
export interface Group {
  readonly connections: number;
  readonly inputs: number;
  readonly encoding: Encoding;
  readonly model: string;
  /** Sends the same few texts again and again, so that the cache has them. */
  readonly repeats: boolean;
}

export interface Outcome {
  readonly requests: number;
  readonly seconds: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
  /** The requests of all groups, to compute the cost of one. */
  readonly requestsInAll: number;
  readonly errors: readonly string[];
}

/** How many different requests are sent with `repeats`. */
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

/** Checks every vector of an answer. @returns what is wrong with it; undefined if nothing is */
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
/** The most bytes after the last vector. */
const END_BYTES = 256;

/** Correct answers differ only in the request's id: it is overwritten, so that they have the same bytes. */
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

/** @returns a function that opens one more client of the group; all share the answers that were checked */
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
  /** Large requests always begin with the same variant, so that few different answers are kept. */
  function numbers(inputs: number): number {
    const first = inputs > VARIANTS ? VARIANTS * Math.ceil(next / VARIANTS) : next;
    next = first + inputs;
    return first;
  }
  const clients: Client[] = [];
  const errors: string[] = [];
  // The first answer of each variant is checked in full, which takes longer than the request. This is done before the measured time, and before
  // the other connections are opened, as they would be closed for being idle.
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
