/**
 * Compares `embedgate embed` with a plain Python loop over OpenAI's SDK and with the gateway's own row D, in turns on one fake provider:
 * bun bench/embed.ts --python BIN [--executable FILE] [--rows N] [--rounds N] [--dimensions N]. BIN is a Python with the package `openai`.
 */
import { statSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { textOf } from "../src/bench/texts";
import { startGateway } from "./gateway";
import type { Job, Outcome } from "./load";
import { ENVIRONMENT, peakMemory_mb, programAt, start } from "./processes";
import { say } from "./said";
import { median, written } from "./table";
import { numberIn, TOKENS, VARIANTS, vectorsOf } from "./texts";

const file = (name: string) => join(import.meta.dir, name);

const { values } = parseArgs({
  options: {
    python: { type: "string" },
    executable: { type: "string", default: file("../dist/embedgate") },
    rows: { type: "string", default: "100000" },
    rounds: { type: "string", default: "5" },
    dimensions: { type: "string", default: "1536" },
    seconds: { type: "string", default: "4" },
    out: { type: "string", default: "out.npy" },
  },
});
const executable = programAt(values.executable);
const rows = Number(values.rows);
const dimensions = Number(values.dimensions);
/** How many texts the Python loop sends. */
const LOOPED = 2_000;

const LOOP = `
import sys, time, openai
client = openai.OpenAI(base_url=sys.argv[1], api_key="sk-bench")
texts = open(sys.argv[2]).read().splitlines()[:${LOOPED}]
client.embeddings.create(model="text-embedding-3-small", input=texts[0])
began = time.perf_counter()
vectors = [client.embeddings.create(model="text-embedding-3-small", input=text).data[0].embedding for text in texts]
print(len(vectors) / (time.perf_counter() - began))
`;

await using upstream = await start([process.execPath, file("upstream.ts"), String(dimensions)]);
await using gateway = await startGateway({
  executable,
  upstream: upstream.port,
  dimensions,
});
const { folder } = gateway;
const lines = Bun.file(join(folder, "texts.txt")).writer();
for (let row = 0; row < rows; row += 1) lines.write(`${textOf(row, TOKENS)}\n`);
await lines.end();

async function bulk(): Promise<{ rate: number; peak_mb: number; cpu_s: number }> {
  const began = performance.now();
  const command = [
    "embed",
    "texts.txt",
    "--model",
    "text-embedding-3-small",
    "--out",
    values.out,
    "--overwrite",
  ];
  const child = Bun.spawn([executable, ...command], {
    cwd: folder,
    env: {},
    stdout: "ignore",
    stderr: "ignore",
  });
  let peak_mb = 0;
  const watch = setInterval(() => {
    peak_mb = Math.max(peak_mb, peakMemory_mb(child.pid));
  }, 100);
  const code = await child.exited;
  clearInterval(watch);
  if (code !== 0) throw new Error(`embedgate embed ended with ${code}`);
  return { rate: rows / ((performance.now() - began) / 1000), peak_mb, cpu_s: cpuOf(child) };
}

/** Processor seconds of a process, including its start. */
const cpuOf = (child: { resourceUsage(): { cpuTime: { total: bigint | number } } | undefined }) =>
  Number(child.resourceUsage()?.cpuTime.total ?? 0) / 1e6;

async function rowD(): Promise<number> {
  const job: Job = {
    port: gateway.port,
    key: gateway.key,
    seconds: Number(values.seconds),
    dimensions,
    groups: [
      { connections: 1, inputs: 2048, encoding: "float", model: "text-embedding-3-small", repeats: false },
    ],
    firstNumber: 10_000_000_000 + Math.floor(Math.random() * 1e9) * VARIANTS,
  };
  const child = Bun.spawn([process.execPath, file("load.ts"), JSON.stringify(job)], { stdout: "pipe" });
  const outcome: Outcome = JSON.parse(await new Response(child.stdout).text());
  return (outcome.requests * 2048) / outcome.seconds;
}

async function loop(): Promise<{ rate: number; cpu_s: number }> {
  if (values.python === undefined) return { rate: Number.NaN, cpu_s: Number.NaN };
  const child = Bun.spawn(
    [values.python, "-c", LOOP, `http://127.0.0.1:${upstream.port}/v1`, join(folder, "texts.txt")],
    { env: ENVIRONMENT, stdout: "pipe" },
  );
  const rate = Number(await new Response(child.stdout).text());
  await child.exited;
  return { rate, cpu_s: cpuOf(child) };
}

/** Compares each row of a .npy file with the fake provider's vector for its text. */
async function check(): Promise<void> {
  if (!values.out.endsWith(".npy")) return;
  const due = vectorsOf(dimensions).map((vector) => Buffer.from(vector.buffer));
  const bytes = Bun.mmap(join(folder, values.out));
  for (let row = 0; row < rows; row += 1) {
    const at = 128 + row * dimensions * 4;
    const right = due[numberIn(textOf(row, TOKENS)) % VARIANTS];
    if (!right || Buffer.compare(bytes.subarray(at, at + dimensions * 4), right) !== 0)
      throw new Error(`row ${row} has a wrong vector`);
  }
  say(`  ${rows} vectors right, ${statSync(join(folder, values.out)).size} bytes`);
}

const found = {
  bulk: [] as number[],
  toD: [] as number[],
  toLoop: [] as number[],
  cpuToLoop: [] as number[],
};
for (let round = 0; round < Number(values.rounds); round += 1) {
  const before = await rowD();
  const { rate, peak_mb, cpu_s } = await bulk();
  const python = await loop();
  const after = await rowD();
  found.bulk.push(rate);
  found.toD.push((2 * rate) / (before + after));
  found.toLoop.push(rate / python.rate);
  found.cpuToLoop.push(python.cpu_s / LOOPED / (cpu_s / rows));
  say(
    `  embed ${written(rate)} rows/s (${written((cpu_s / rows) * 1e6)} µs CPU a row, peak ${written(peak_mb)} MB), ` +
      `row D ${written(before)}, ${written(after)}, loop ${written(python.rate)} (${written((python.cpu_s / LOOPED) * 1e6)} µs)`,
  );
}
await check();
say(
  `embed ${written(median(found.bulk))} rows/s: ${median(found.toD).toFixed(2)} × row D; the Python loop ` +
    `${median(found.toLoop).toFixed(1)} ×, in processor time ${median(found.cpuToLoop).toFixed(1)} ×`,
);
