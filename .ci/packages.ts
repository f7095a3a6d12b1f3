/**
 * Finds the packages in the executable from the sources named in the bundler's source maps, and from ASSETS. It is the source of
 * src/commands/licenses/packages.json (`bun run docs`) and of the SBOM.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import type { CarriedPackage } from "../src/commands/licenses";
import { ENTRY_POINTS } from "./build";

const ROOT = join(import.meta.dir, "..");
export const PACKAGES_FILE = join(ROOT, "src/commands/licenses/packages.json");

/** Packages that are included as files, so that no source map names them. */
const ASSETS = ["swagger-ui-dist"];

/** Included as a bundle that src/dashboard/bundle.ts makes. */
const DASHBOARD = "src/dashboard/page/main.tsx";

const SourceMap = Type.Object({ sources: Type.Array(Type.String()) });
const Manifest = Type.Object({
  name: Type.String(),
  version: Type.String(),
  license: Type.Optional(Type.String()),
});

export async function carriedPackages(): Promise<readonly CarriedPackage[]> {
  const folder = mkdtempSync(join(tmpdir(), "embedgate-packages-"));
  try {
    const maps = [
      ...(await mapsOf(ENTRY_POINTS, "bun", join(folder, "program"))),
      ...(await mapsOf([DASHBOARD], "browser", join(folder, "dashboard"))),
    ];
    const found = new Set(ASSETS.map((name) => join("node_modules", name)));
    for (const path of maps) {
      const { sources } = Value.Parse(SourceMap, JSON.parse(readFileSync(path, "utf8")));
      for (const source of sources) {
        const [, package_] = /((?:node_modules\/(?:@[^/]+\/)?[^/]+\/)+)/.exec(source) ?? [];
        if (package_ !== undefined) found.add(package_.replace(/\/$/, ""));
      }
    }
    return [...found].map(packageAt).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** @returns paths of source maps */
async function mapsOf(
  paths: readonly string[],
  target: "bun" | "browser",
  outdir: string,
): Promise<string[]> {
  const { success, outputs } = await Bun.build({
    entrypoints: paths.map((path) => join(ROOT, path)),
    target,
    sourcemap: "external",
    outdir,
  });
  if (!success) throw new Error("the bundle could not be made");
  return outputs.filter(({ kind }) => kind === "sourcemap").map(({ path }) => path);
}

/** Files with a licence or a notice that it requires. */
const LICENSE_FILE = /^(?:licen[cs]e|copying|notice)|\.LICENSE\.txt$/i;

function packageAt(path: string): CarriedPackage {
  const folder = join(ROOT, path);
  const { name, version, license } = Value.Parse(
    Manifest,
    JSON.parse(readFileSync(join(folder, "package.json"), "utf8")),
  );
  const texts = readdirSync(folder)
    .filter((file) => LICENSE_FILE.test(file))
    .sort()
    .map((file) => readFileSync(join(folder, file), "utf8").trim());
  if (license === undefined) throw new Error(`${name} says no licence`);
  return { name, version, license, texts: [...new Set(texts)] };
}

/** The contents that packages.json must have. */
export const packagesText = async () => `${JSON.stringify(await carriedPackages(), null, 2)}\n`;
