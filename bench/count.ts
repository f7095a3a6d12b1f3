/**
 * Counts the promises, closures and other objects that one request creates, exactly, so that an increase is noticed. The gateway runs from source
 * with garbage collection off. To add a kind of request, add an entry to ASKED; to print another type, add it to FIGURES.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { prepare, type Setting } from "./gateway";
import { printGoal } from "./goals";
import type { Group } from "./load";
import { say } from "./said";
import { written } from "./table";

const file = (name: string) => join(import.meta.dir, name);

interface Asked {
  readonly says: string;
  readonly group: Group;
  readonly cache?: string;
  /** Upper bounds for all objects and for promises: the current figures and a small margin. */
  readonly objectsMax: number;
  readonly promisesMax: number;
}

const one: Group = {
  connections: 1,
  inputs: 1,
  encoding: "base64",
  model: "text-embedding-3-small",
  repeats: false,
};
const ASKED: readonly Asked[] = [
  { says: "one text, base64", group: one, objectsMax: 1045, promisesMax: 44 },
  {
    says: "one text, base64, found in the cache",
    group: { ...one, repeats: true },
    cache: "{ memory_mb: 64 }",
    objectsMax: 540,
    promisesMax: 17,
  },
];

/** Types that are printed separately. */
const FIGURES = ["Promise", "Function", "JSLexicalEnvironment", "Array", "Object", "BigInt", "Map", "Set"];

/** Compiled code does not allocate some objects, so counting begins after the compilers have warmed up. */
const WARM_REQUESTS = 2_000;
const FEW = 500;
const MANY = 2_500;

type Counts = Readonly<Record<string, number>>;
export type Ask = (target: { port: number; key: string }, group: Group, requests: number) => Promise<unknown>;

/** @param ask sends a number of requests, with texts that were not sent before */
export async function countObjects(setting: Setting, ask: Ask): Promise<void> {
  for (const { says, group, cache, objectsMax, promisesMax } of ASKED) {
    const { folder, key } = await prepare({ ...setting, ...(cache !== undefined && { cache }) });
    await using gateway = await startCounted(folder);
    const target = { port: gateway.port, key };
    await ask(target, group, WARM_REQUESTS);
    const first = await gateway.counts();
    await ask(target, group, FEW);
    const second = await gateway.counts();
    await ask(target, group, MANY);
    const third = await gateway.counts();
    // Objects that each load creates once (its connection, the answers that are read in full) are in both differences.
    const made = (type: string) => {
      const at = (counts: Counts) => counts[type] ?? 0;
      return (at(third) - at(second) - (at(second) - at(first))) / (MANY - FEW);
    };
    const all = Object.keys(third).reduce((sum, type) => sum + made(type), 0);
    say(`count: ${says}: ${written(all)} objects a request`);
    say(`  ${FIGURES.map((type) => `${type} ${written(made(type))}`).join(", ")}`);
    printGoal(says, { of: "objects", bound: "at most", value: objectsMax, unit: "" }, all);
    printGoal(says, { of: "promises", bound: "at most", value: promisesMax, unit: "" }, made("Promise"));
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Counted extends AsyncDisposable {
  readonly port: number;
  counts(): Promise<Counts>;
}

async function startCounted(folder: string): Promise<Counted> {
  const command = ["--preload", file("counting.ts"), file("../src/main.ts"), "serve", "--port", "0"];
  const child = Bun.spawn([process.execPath, ...command], {
    cwd: folder,
    env: { PATH: process.env.PATH ?? "", BUN_JSC_useGC: "0" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
  });
  const reader = child.stdout.getReader();
  let said = "";
  async function next(pattern: RegExp): Promise<string> {
    for (;;) {
      const found = pattern.exec(said);
      if (found) {
        said = said.slice(found.index + found[0].length);
        return found[1] ?? "";
      }
      const { done, value } = await reader.read();
      if (done) throw new Error(`the gateway ended: ${said}`);
      said += new TextDecoder().decode(value);
    }
  }
  return {
    port: Number(await next(/serves on http:\/\/127\.0\.0\.1:(\d+)/)),
    async counts() {
      child.kill("SIGUSR2");
      return JSON.parse(await next(/^(\{.*\})\n/m));
    },
    async [Symbol.asyncDispose]() {
      // Without garbage collection it uses much memory, and it has nothing to save.
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}
