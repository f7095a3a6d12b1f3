/**
 * `bun run release [--target linux-arm64 …]`: makes all files of a release in dist/release: executables, Debian packages, an image in OCI's
 * layout, the SBOM, and their SHA256SUMS. The same commit and Bun give the same bytes. To add a target, add it to TARGETS.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import packageJson from "../package.json";
import { build, targetOf } from "./build";
import { deb } from "./release/deb";
import { oci, type Platform } from "./release/oci";
import { sbom } from "./release/sbom";

const FOLDER = join(import.meta.dir, "../dist/release");

const TARGETS = [
  "linux-x64",
  "linux-x64-baseline",
  "linux-arm64",
  "linux-x64-musl",
  "linux-x64-musl-baseline",
  "linux-arm64-musl",
];

/** Packages and images use the baseline build, as not all x86-64 servers and virtual machines have AVX2. */
const PACKAGED = [
  { target: "linux-x64-baseline", architecture: "amd64", libraries: "/lib/x86_64-linux-gnu" },
  // On other processors it comes from Debian's package libc6-arm64-cross.
  { target: "linux-arm64", architecture: "arm64", libraries: "/usr/aarch64-linux-gnu/lib" },
] as const;

/** The time of the last commit, or SOURCE_DATE_EPOCH (reproducible-builds.org). */
export function releaseDate(): Date {
  const told = process.env.SOURCE_DATE_EPOCH;
  const git = Bun.spawnSync(["git", "log", "-1", "--format=%ct"], { cwd: import.meta.dir });
  return new Date(Number(told ?? git.stdout.toString().trim()) * 1000);
}

export function sumsOf(folder: string): string {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name !== "SHA256SUMS" && statSync(join(folder, name)).isFile())
    .sort()
    .map((name) => {
      const hex = new Bun.CryptoHasher("sha256").update(readFileSync(join(folder, name))).digest("hex");
      return `${hex}  ${name}\n`;
    })
    .join("");
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { target: { type: "string", multiple: true } } });
  const targets = values.target ?? TARGETS;
  const { version } = packageJson;
  const at = releaseDate();
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER, { recursive: true });
  const platforms: Platform[] = [];
  for (const target of targets) {
    const path = join(FOLDER, `embedgate-${version}-${target}`);
    await build(path, targetOf(target));
    for (const { architecture, libraries } of PACKAGED.filter((one) => one.target === target)) {
      const executable = readFileSync(path);
      const package_ = await deb({ executable, architecture, version, at });
      writeFileSync(join(FOLDER, `embedgate_${version}_${architecture}.deb`), package_);
      if (existsSync(libraries)) platforms.push({ architecture, executable, libraries });
      else
        console.error(
          `The image is without ${architecture}: ${libraries} does not exist (libc6-${architecture}-cross).`,
        );
    }
  }
  if (platforms.length > 0) await oci(join(FOLDER, `embedgate-${version}-oci`), platforms, { version, at });
  writeFileSync(join(FOLDER, `embedgate-${version}.cdx.json`), sbom(at));
  writeFileSync(join(FOLDER, "SHA256SUMS"), sumsOf(FOLDER));
  for (const name of readdirSync(FOLDER, { recursive: true, encoding: "utf8" }).sort()) {
    const path = join(FOLDER, name);
    if (statSync(path).isFile())
      console.log(`${relative(process.cwd(), path)}: ${(statSync(path).size / 1e6).toFixed(1)} MB`);
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
