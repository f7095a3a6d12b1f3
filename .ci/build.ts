/**
 * `bun run build [--target linux-arm64 …] [--outfile FILE]`: the executable, with the model, the docs page and the workers inside.
 * A file that runs in a Worker must be listed in ENTRY_POINTS, or the executable lacks it.
 */
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";

export const ENTRY_POINTS = [
  "src/main.ts",
  "src/aside/worker.ts",
  "src/tokens/worker.ts",
  "plugins/local/worker.ts",
];

/** The values of `--target`, with Bun's names: the system that the executable runs on, not the one that builds it. */
const TARGETS = [
  "bun-linux-x64",
  // For processors without AVX2, which Bun's other builds need.
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

/** The functions that run at the start and at a first request (record-order.ts). Their bytecode is put together, so that less of it is read. */
export const ORDER_FILE = ".ci/bytecode.order";

/** The factor by which the JIT compiles later during the start, as that code runs only once. src/command-line.ts resets it. */
const START_JIT_SCALE = 50;

/** @returns the path of the executable */
export async function build(outfile: string, target?: Target): Promise<string> {
  const folder = dirname(outfile);
  await mkdir(folder, { recursive: true });
  // Bun writes copies of the source maps next to the executable, which has them inside as well.
  const scratch = await mkdtemp(join(folder, ".build-"));
  try {
    const made = join(scratch, basename(outfile));
    await compile(resolve(made), target);
    const suffix = target?.includes("windows") ? ".exe" : "";
    await rename(made + suffix, outfile + suffix);
    return outfile + suffix;
  } finally {
    await rm(scratch, { recursive: true });
  }
}

async function compile(outfile: string, target: Target | undefined): Promise<void> {
  const command = [
    process.execPath,
    "build",
    "--compile",
    "--minify",
    "--bytecode",
    `--bytecode-order=${ORDER_FILE}`,
    `--compile-jit-policy=${START_JIT_SCALE}`,
    // Each command loads only its own modules.
    "--splitting",
    // In CommonJS, the default for bytecode, import.meta would have the paths of the machine that built the executable.
    "--format=esm",
    "--sourcemap=inline",
    // The folder in which a user starts it may have an .env and a bunfig.toml (which can run code): they must not be read.
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
