/**
 * Measures the model inside, through its plugin: `bun bench/local.ts [--quick]`. Prints texts a second, the time to the first vector,
 * memory, and the event loop's largest gap while all Workers embed. A new figure is a line in `main`.
 */
import plugin from "../plugins/local/index";
import { realOutside } from "../src/outside";
import type { EmbedCall, Upstream } from "../src/plugin";
import { createHost } from "../src/upstream/host";
import { type Goal, printGoal } from "./goals";

const MODEL = "all-MiniLM-L6-v2";
const WORDS =
  "time year people way day man thing woman life child world school state family student group country problem hand part".split(
    " ",
  );
/** Each figure is measured for about this long. */
const MEASURE_MS = process.argv.includes("--quick") ? 1000 : 4000;

/** With all cores. */
const SHORT_GOAL: Goal = { of: "short texts", bound: "at least", value: 420, further: 1075, unit: "/s" };
const LONG_GOAL: Goal = { of: "texts of 256 tokens", bound: "at least", value: 15, further: 36, unit: "/s" };

/** Words that are one token each, so that a text's tokens are its words and two more. */
function text(tokens: number, seed: number): string {
  return Array.from(
    { length: tokens - 2 },
    (_, i) => WORDS[(seed * 7 + i * (1 + (seed % 5))) % WORDS.length],
  ).join(" ");
}

function call(inputs: readonly string[]): EmbedCall {
  return {
    model: MODEL,
    inputs,
    dimensions: undefined,
    user: undefined,
    task: undefined,
    fields: {},
    extraBody: {},
    longInput: "truncate",
    wireEncoding: "float",
    signal: new AbortController().signal,
  };
}

function open(workers: number): Upstream {
  return plugin(createHost(realOutside)).open({ workers });
}

/** Keeps `lanes` calls of `size` texts under way; returns texts a second. */
async function textsPerSecond(local: Upstream, lanes: number, size: number, tokens: number): Promise<number> {
  const startedAt_ms = performance.now();
  let texts = 0;
  const lane = async (seed: number) => {
    for (let turn = seed; performance.now() - startedAt_ms < MEASURE_MS; turn += lanes) {
      await local.embed(call(Array.from({ length: size }, (_, i) => text(tokens, turn * size + i))));
      texts += size;
    }
  };
  await Promise.all(Array.from({ length: lanes }, (_, seed) => lane(seed)));
  return (texts * 1000) / (performance.now() - startedAt_ms);
}

/** The longest time between two turns of the event loop while `work` is under way. */
async function largestGap_ms(work: () => Promise<unknown>): Promise<number> {
  let largest = 0;
  let last = performance.now();
  const turn = setInterval(() => {
    const now = performance.now();
    largest = Math.max(largest, now - last);
    last = now;
  }, 1);
  await work();
  clearInterval(turn);
  return largest;
}

function memory_mb(): number {
  return process.memoryUsage.rss() / 1024 / 1024;
}

function print(figure: string, value: number, unit: string): void {
  console.log(`${figure.padEnd(52)} ${value.toFixed(value < 100 ? 1 : 0).padStart(8)} ${unit}`);
}

async function main(): Promise<void> {
  const cores = navigator.hardwareConcurrency;
  print("memory before the first call", memory_mb(), "MB");
  for (const workers of new Set([1, cores])) {
    const openedAt_ms = performance.now();
    const local = open(workers);
    await local.embed(call(["the first text"]));
    print(`${workers} Workers: from open to the first vector`, performance.now() - openedAt_ms, "ms");
    const lanes = 2 * workers; // one call embedded and one waiting for each Worker, as the gateway does it
    await textsPerSecond(local, lanes, 32, 15);
    print(`${workers} Workers: short texts one by one`, await textsPerSecond(local, 1, 1, 15), "texts/s");
    const short = await textsPerSecond(local, lanes, 32, 15);
    print(`${workers} Workers: short texts (13 tokens) in calls of 32`, short, "texts/s");
    const long = () => textsPerSecond(local, lanes, 8, 256);
    const longer = await long();
    print(`${workers} Workers: texts of 256 tokens in calls of 8`, longer, "texts/s");
    if (workers === cores) {
      printGoal("L", SHORT_GOAL, short);
      printGoal("L", LONG_GOAL, longer);
    }
    print(`${workers} Workers: the event loop's largest gap meanwhile`, await largestGap_ms(long), "ms");
    print(`${workers} Workers: memory`, memory_mb(), "MB");
    await local.close?.();
  }
}

await main();
