/**
 * Work on worker threads: each job gets its own answer, whatever happens to the Workers, and no job is lost without them.
 * A new kind of work is tested here like "print".
 */
import { afterAll, expect, test } from "bun:test";
import { type Aside, openAside } from "../../src/aside/aside";
import { type PackedPage, packed } from "../../src/aside/packed-page";
import { GatewayError } from "../../src/domain/errors";
import type { Outside } from "../../src/domain/outside";

const MORTAL = new URL("./mortal-worker.ts", import.meta.url).href;

const opened: Aside[] = [];
afterAll(() => {
  for (const aside of opened) aside.close();
});

const logs: string[] = [];
const log: Outside["log"] = (_, message) => logs.push(message);

function open(threads: number): Aside {
  const aside = openAside({ threads, log }, MORTAL);
  opened.push(aside);
  return aside;
}

const pageOf = (word: string, values: readonly number[] = []): PackedPage =>
  packed({ encoding: "float", words: [word, ""], vectors: [Float32Array.from(values)] });

async function print(aside: Aside, job: PackedPage, signal?: AbortSignal): Promise<string> {
  const { bytes } = await aside.perform("print", { page: job }, [job.values.buffer], signal);
  return new TextDecoder().decode(bytes);
}

async function failureOf(work: Promise<unknown>): Promise<GatewayError> {
  const thrown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (thrown instanceof GatewayError) return thrown;
  throw new Error(`not a GatewayError: ${String(thrown)}`);
}

test.each([0, 1, 3])("with %p threads, each job has its own answer", async (threads) => {
  const aside = open(threads);
  const jobs = Array.from({ length: 50 }, (_, i) => print(aside, pageOf(`job ${i} `, [i, 0.5])));
  expect(await Promise.all(jobs)).toEqual(Array.from({ length: 50 }, (_, i) => `job ${i} [${i},0.5]`));
});

test("buffers that are transferred are empty here, and copied ones are not", async () => {
  const aside = open(1);
  const vector = Float32Array.of(1, 2);
  const job = packed({ encoding: "float", words: ["", ""], vectors: [vector, vector.subarray(1)] });
  expect(await print(aside, job)).toBe("[1,2][2]");
  expect(job.values.length).toBe(0);
  expect([...vector]).toEqual([1, 2]);
});

test.each(["exit", "throw"])(
  "a Worker that ends by %p fails what it had, and the rest is done by another",
  async (way) => {
    const aside = open(1);
    expect(await print(aside, pageOf("before "))).toBe("before []");
    const fatal = failureOf(print(aside, pageOf(way)));
    // The next job may have gone to the same Worker; all others wait in the queue.
    const beside = print(aside, pageOf("beside ")).catch(() => "failed");
    const later = Array.from({ length: 5 }, (_, i) => print(aside, pageOf(`${i} `)));
    expect((await fatal).kind).toBe("internal");
    expect(["failed", "beside []"]).toContain(await beside);
    expect(await Promise.all(later)).toEqual(["0 []", "1 []", "2 []", "3 []", "4 []"]);
    expect(logs).toContain("a thread of the gateway failed");
  },
);

test.each([0, 1])(
  "with %p threads, work that breaks down is an error of ours, and the thread goes on",
  async (threads) => {
    const aside = open(threads);
    // What the types forbid.
    const page: PackedPage = JSON.parse('{ "encoding": "float", "words": 5, "values": [], "lengths": [] }');
    const failure = await failureOf(aside.perform("print", { page }));
    expect([failure.kind, String(failure.cause)]).toEqual(["internal", expect.stringContaining("iterable")]);
    expect(await print(aside, pageOf("next "))).toBe("next []");
  },
);

test("a job that nobody waits for any more leaves the queue", async () => {
  const aside = open(1);
  const controller = new AbortController();
  const first = [print(aside, pageOf("a ")), print(aside, pageOf("b "))];
  const gone = failureOf(print(aside, pageOf("c "), controller.signal));
  controller.abort(new GatewayError("cancelled", "The client closed the connection."));
  expect((await gone).kind).toBe("cancelled");
  expect((await failureOf(print(aside, pageOf("d "), controller.signal))).kind).toBe("cancelled");
  expect(await Promise.all(first)).toEqual(["a []", "b []"]);
});

test("after close, jobs in progress, queued jobs and later ones are refused", async () => {
  const aside = open(2);
  await print(aside, pageOf("before "));
  const underWay = Array.from({ length: 8 }, (_, i) => failureOf(print(aside, pageOf(`${i}`))));
  aside.close();
  for (const { kind } of await Promise.all(underWay)) expect(kind).toBe("unavailable");
  expect((await failureOf(print(aside, pageOf("after ")))).kind).toBe("unavailable");
});

test("without threads, jobs are refused after close too", async () => {
  const aside = open(0);
  aside.close();
  expect((await failureOf(print(aside, pageOf("after ")))).kind).toBe("unavailable");
});
