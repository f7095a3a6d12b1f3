/**
 * Does the simulator detect bugs? Each patch of breakages/ breaks one promise of src/ on purpose; seeds run on a patched copy until one
 * fails. A new breakage is a patch made with `diff -U1`, so that it survives changes around it; a patch that no longer applies is a failure.
 * A patch that few seeds catch says above the patch where to start: `First seed: 520`. One for several gateways on one database says:
 * `Machines: several`.
 */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "../..");
const PATCHES = join(import.meta.dir, "breakages");

export interface Caught {
  /** The patch, without its ending. */
  readonly name: string;
  /** The first seed that failed; undefined: none did, or the patch does not apply. */
  readonly seed: number | undefined;
  readonly what: string;
}

export const BREAKAGES: readonly string[] = readdirSync(PATCHES)
  .filter((name) => name.endsWith(".patch"))
  .map((name) => name.replace(/\.patch$/, ""))
  .sort();

/**
 * @param seeds the most seeds to try on each copy
 * @param tell called with each breakage's result
 */
export async function catchAll(seeds: number, tell: (caught: Caught) => void): Promise<readonly Caught[]> {
  const waiting = [...BREAKAGES];
  const all: Caught[] = [];
  const worker = async () => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      const caught = await catchOne(name, seeds);
      all.push(caught);
      tell(caught);
    }
  };
  await Promise.all(Array.from({ length: Math.min(4, availableParallelism()) }, worker));
  return all.sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function catchOne(name: string, seeds: number): Promise<Caught> {
  const folder = mkdtempSync(join(tmpdir(), "embedgate-breakage-"));
  try {
    for (const part of ["src", "plugins", "test/sim"]) {
      mkdirSync(join(folder, part), { recursive: true });
      cpSync(join(ROOT, part), join(folder, part), { recursive: true });
    }
    for (const file of ["package.json", "tsconfig.json"]) cpSync(join(ROOT, file), join(folder, file));
    symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
    const patch = join(PATCHES, `${name}.patch`);
    const applied = await run(["git", "apply", "-C1", patch], folder);
    if (applied.code !== 0)
      return { name, seed: undefined, what: `the patch applies no more: ${applied.output.trim()}` };
    const said = readFileSync(patch, "utf8");
    const from = /^First seed: (\d+)$/m.exec(said)?.[1] ?? "1";
    const kind = /^Machines: several$/m.test(said) ? ["--machines"] : [];
    const simulated = await run(
      [
        process.execPath,
        "test/sim/main.ts",
        ...kind,
        "--from",
        from,
        "--seeds",
        String(seeds),
        "--until-red",
      ],
      folder,
    );
    const [, seed, what = ""] = /^seed (\d+) BROKE: (.*)$/m.exec(simulated.output) ?? [];
    if (seed !== undefined) return { name, seed: Number(seed), what };
    // A request that never ends counts as a failure too.
    if (simulated.isEndless) return { name, seed: Number(from), what: "it does not come to its end" };
    return { name, seed: undefined, what: `no seed caught it: ${simulated.output.slice(-500).trim()}` };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Enough for 150 seeds, which take a few seconds, on a busy machine too. */
const ENDLESS_MS = 90_000;

async function run(
  command: readonly string[],
  folder: string,
): Promise<{ readonly code: number; readonly output: string; readonly isEndless: boolean }> {
  // Inside a repository, git would look for the patch's files there.
  const environment = { ...process.env, GIT_CEILING_DIRECTORIES: tmpdir() };
  const child = Bun.spawn([...command], {
    cwd: folder,
    env: environment,
    stdout: "pipe",
    stderr: "pipe",
    timeout: ENDLESS_MS,
    killSignal: "SIGKILL",
  });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, output: out + err, isEndless: child.signalCode === "SIGKILL" };
}
