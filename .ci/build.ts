/**
 * `bun run build [--target linux-arm64 …] [--outfile FILE]`: the executable, with the model, the docs page and the workers inside.
 * A file that runs in a Worker must be listed in ENTRY_POINTS, or the executable lacks it.
 */
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";

export const ENTRY_POINTS = [
  "src/main.ts",
  "src/aside/worker.ts",
  "src/tokens/worker.ts",
  "plugins/local/worker.ts",
];

/** What `--target` takes, as Bun names them. A target is the system it runs on, not the one it is built on. */
const TARGETS = [
  "bun-linux-x64",
  // For processors without AVX2: Bun's own code needs it otherwise.
  "bun-linux-x64-baseline",
  "bun-linux-x64-musl",
  "bun-linux-x64-musl-baseline",
  "bun-linux-arm64",
  "bun-linux-arm64-musl",
  "bun-darwin-x64",
  "bun-darwin-x64-baseline",
  "bun-darwin-arm64",
  "bun-windows-x64",
  "bun-windows-x64-baseline",
] as const;
type Target = (typeof TARGETS)[number];

export function targetOf(name: string): Target {
  const full = name.startsWith("bun-") ? name : `bun-${name}`;
  const target = TARGETS.find((known) => known === full);
  if (target) return target;
  throw new Error(`no target "${name}"; there are ${TARGETS.map((known) => known.slice(4)).join(", ")}`);
}

/** @returns the path of the executable */
export async function build(outfile: string, target?: Target): Promise<string> {
  const command = [
    process.execPath,
    "build",
    "--compile",
    "--minify",
    "--bytecode",
    // As CommonJS, bytecode's default, import.meta would be the building machine's paths, written into the executable.
    "--format=esm",
    "--sourcemap=inline",
    // The folder that a user starts it in is not ours: its .env and bunfig.toml (which can run code) must not be read.
    "--no-compile-autoload-dotenv",
    "--no-compile-autoload-bunfig",
    "--define",
    'process.env.NODE_ENV="production"',
    ...(target ? ["--target", target] : []),
    "--outfile",
    outfile,
    ...ENTRY_POINTS,
  ];
  const child = Bun.spawn(command, { cwd: `${import.meta.dir}/..`, stdout: "pipe", stderr: "pipe" });
  const [code, words] = await Promise.all([child.exited, new Response(child.stderr).text()]);
  if (code !== 0) throw new Error(`the build failed:\n${words}`);
  // The maps are inside the executable; Bun leaves copies beside it.
  for (const map of [`${outfile}.map`, join(dirname(outfile), "worker.js.map")])
    await rm(map, { force: true });
  return target?.includes("windows") ? `${outfile}.exe` : outfile;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { target: { type: "string", multiple: true }, outfile: { type: "string" } },
  });
  const wanted = values.target?.map(targetOf) ?? [undefined];
  for (const target of wanted) {
    const outfile = values.outfile ?? (target ? `dist/embedgate-${target.slice(4)}` : "dist/embedgate");
    const path = await build(outfile, target);
    console.log(`${path}: ${(Bun.file(path).size / 1e6).toFixed(1)} MB`);
  }
}

if (import.meta.main) {
  try {
    await main();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
