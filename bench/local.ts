/**
 * Measures the model inside, through its plugin: `bun bench/local.ts [kernel …] [--quick]`. Prints texts per second and per second of processor
 * time, the time to the first vector, memory, and the longest pause of the event loop while all Workers embed. The named kernels take turns, so
 * that other work on the machine affects all of them. To add a figure, add a line to `measure`.
 */
import plugin from "../plugins/local/index";
import { chooseKernel, KERNELS, type KernelName } from "../plugins/local/kernel-choice";
import { callFor } from "../src/conformance/subject";
import { realOutside } from "../src/network/real-outside";
import type { Upstream } from "../src/plugin";
import { createHost } from "../src/upstream/host";
import { type Goal, printGoal } from "./goals";

const MODEL = "all-MiniLM-L6-v2";
const WORDS =
  "time year people way day man thing woman life child world school state family student group country problem hand part".split(
    " ",
  );
const isQuick = process.argv.includes("--quick");
/** Each figure is measured for about this long, in each round. */
const MEASURE_MS = isQuick ? 1000 : 1500;
const ROUNDS = isQuick ? 1 : 3;

const SHORT = "short texts (13 tokens) in calls of 32";
const LONG = "texts of 256 tokens in calls of 8";
/** Goals with all cores. */
const SHORT_GOAL: Goal = { of: "short texts", bound: "at least", value: 420, further: 1075, unit: "/s" };
const LONG_GOAL: Goal = { of: "texts of 256 tokens", bound: "at least", value: 15, further: 36, unit: "/s" };

/** A text of words that are one token each; two more tokens are added to every text. */
function text(tokens: number, seed: number): string {
  return Array.from(
    { length: tokens - 2 },
    (_, i) => WORDS[(seed * 7 + i * (1 + (seed % 5))) % WORDS.length],
  ).join(" ");
}

const call = (inputs: readonly string[]) => callFor({ model: MODEL }, inputs, { longInput: "truncate" });

function open(kernel: KernelName, workers: number): Upstream {
  return plugin(createHost(realOutside)).open({ kernel, workers });
}

interface Speed {
  readonly texts: number;
  readonly elapsed_ms: number;
  readonly processor_ms: number;
}

const processor_ms = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

/** Keeps `lanes` calls of `size` texts in flight. */
async function embedFor(local: Upstream, lanes: number, size: number, tokens: number): Promise<Speed> {
  const startedAt_ms = performance.now();
  const processorBefore_ms = processor_ms();
  let texts = 0;
  const lane = async (seed: number) => {
    for (let turn = seed; performance.now() - startedAt_ms < MEASURE_MS; turn += lanes) {
      await local.embed(call(Array.from({ length: size }, (_, i) => text(tokens, turn * size + i))));
      texts += size;
    }
  };
  await Promise.all(Array.from({ length: lanes }, (_, seed) => lane(seed)));
  return {
    texts,
    elapsed_ms: performance.now() - startedAt_ms,
    processor_ms: processor_ms() - processorBefore_ms,
  };
}

/** The longest time between two turns of the event loop while `work` runs. */
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

/** The measured values of each figure, one per round. */
class Figures {
  private readonly byName = new Map<string, number[]>();

  add(name: string, value: number): void {
    this.byName.set(name, [...(this.byName.get(name) ?? []), value]);
  }

  addSpeed(name: string, { texts, elapsed_ms, processor_ms }: Speed): void {
    this.add(`${name}: texts/s`, (texts * 1000) / elapsed_ms);
    this.add(`${name}: texts a second of processor time`, (texts * 1000) / processor_ms);
  }

  median(name: string): number {
    const values = this.byName.get(name) ?? [];
    return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
  }

  print(): void {
    for (const name of this.byName.keys()) {
      const median = this.median(name);
      console.log(`${name.padEnd(84)} ${median.toFixed(median < 100 ? 1 : 0).padStart(6)}`);
    }
  }
}

async function measure(kernel: KernelName, workers: number, figures: Figures): Promise<void> {
  const name = (figure: string) => `${kernel}, ${workers} Workers: ${figure}`;
  const openedAt_ms = performance.now();
  const local = open(kernel, workers);
  await local.embed(call(["the first text"]));
  figures.add(name("ms from open to the first vector"), performance.now() - openedAt_ms);
  const lanes = 2 * workers; // for each Worker one call in work and one waiting, as in the gateway
  const short = () => embedFor(local, lanes, 32, 15);
  const long = () => embedFor(local, lanes, 8, 256);
  await short(); // so that all Workers have started and warmed up
  figures.addSpeed(name("short texts one by one"), await embedFor(local, 1, 1, 15));
  figures.addSpeed(name(SHORT), await short());
  figures.addSpeed(name("short texts in calls of 32, one call at a time"), await embedFor(local, 1, 32, 15));
  figures.addSpeed(name(LONG), await long());
  figures.add(name("the event loop's largest gap meanwhile, ms"), await largestGap_ms(long));
  figures.add(name("MB of memory"), memory_mb());
  await local.close?.();
}

/** Those of `names` that are kernels; without any, the kernel that the gateway would choose. */
async function kernelsOf(names: readonly string[]): Promise<KernelName[]> {
  const named = KERNELS.filter((kernel) => names.includes(kernel));
  return named.length > 0 ? named : [(await chooseKernel(undefined)).kernel];
}

async function main(names: readonly string[]): Promise<void> {
  const figures = new Figures();
  figures.add("before the first call: MB of memory", memory_mb());
  const kernels = await kernelsOf(names);
  const cores = navigator.hardwareConcurrency;
  for (let round = 0; round < ROUNDS; round++) {
    for (const workers of new Set([1, cores])) {
      for (const kernel of kernels) await measure(kernel, workers, figures);
    }
  }
  figures.print();
  const fastest = `${kernels.at(-1)}, ${cores} Workers`;
  printGoal("L", SHORT_GOAL, figures.median(`${fastest}: ${SHORT}: texts/s`));
  printGoal("L", LONG_GOAL, figures.median(`${fastest}: ${LONG}: texts/s`));
}

await main(process.argv.slice(2));
