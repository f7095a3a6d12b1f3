/**
 * Makes a Debian package of an executable: its files, the scripts of .ci/release/scripts, and the archive around them (deb(5)). It needs none of
 * Debian's tools, so it works on any system, and gives the same bytes for the same executable.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { SHELLS } from "../../src/commands/completion";
import { commandLine } from "../../src/commands/flags/program";
import { allLicenses } from "../../src/commands/licenses";
import { FIRST_ROUTING_FILE, unitText } from "../../src/commands/service/files";
import { PACKAGE_EXECUTABLE, PACKAGE_UNIT, ROUTING_FILE } from "../../src/commands/service/places";
import { ar, type Entry, tarGz, withFolders } from "./archive";

const SCRIPTS = ["postinst", "prerm", "postrm"] as const;
const DOCS = "./usr/share/doc/embedgate";

export interface DebOptions {
  readonly executable: Uint8Array;
  readonly architecture: "amd64" | "arm64";
  readonly version: string;
  readonly at: Date;
}

export async function deb({ executable, architecture, version, at }: DebOptions): Promise<Buffer> {
  const files = filesOf(executable, version);
  const bytes = files.reduce((sum, { content = "" }) => sum + content.length, 0);
  const control: Entry[] = [
    { path: "./control", mode: 0o644, content: controlText(architecture, version, Math.ceil(bytes / 1024)) },
    { path: "./conffiles", mode: 0o644, content: `${ROUTING_FILE}\n` },
    { path: "./md5sums", mode: 0o644, content: md5sums(files) },
    ...SCRIPTS.map((name) => ({
      path: `./${name}`,
      mode: 0o755,
      content: readFileSync(join(import.meta.dir, "scripts", name)),
    })),
  ];
  return ar(
    [
      ["debian-binary", Buffer.from("2.0\n")],
      ["control.tar.gz", await tarGz(withFolders(control), at)],
      ["data.tar.gz", await tarGz(withFolders(files), at)],
    ],
    at,
  );
}

function filesOf(executable: Uint8Array, version: string): Entry[] {
  const program = commandLine();
  const text = (path: string, content: string | Uint8Array, mode = 0o644): Entry => ({ path, mode, content });
  return [
    text(`.${PACKAGE_EXECUTABLE}`, executable, 0o755),
    text(`.${PACKAGE_UNIT}`, unitText(PACKAGE_EXECUTABLE)),
    // postinst creates the group that may read it.
    text(`.${ROUTING_FILE}`, FIRST_ROUTING_FILE, 0o640),
    text("./usr/share/bash-completion/completions/embedgate", SHELLS.bash(program)),
    text("./usr/share/zsh/vendor-completions/_embedgate", SHELLS.zsh(program)),
    text("./usr/share/fish/vendor_completions.d/embedgate.fish", SHELLS.fish(program)),
    text(`${DOCS}/copyright`, copyright()),
    text(
      `${DOCS}/changelog.gz`,
      gzipSync(readFileSync(join(import.meta.dir, "../../CHANGELOG.md")), { level: 9 }),
    ),
    text(`${DOCS}/version`, `${version}\n`),
  ];
}

/** The format is described in deb-control(5). */
const controlText = (architecture: string, version: string, kilobytes: number) => `Package: embedgate
Version: ${version}
Architecture: ${architecture}
Maintainer: embedgate <embedgate@localhost>
Installed-Size: ${kilobytes}
Depends: libc6 (>= 2.17), passwd, util-linux
Section: net
Priority: optional
Description: embeddings gateway in one executable, with a real model inside
 Programs talk to it in OpenAI's API, or in those of Cohere, Google, Amazon,
 Ollama and others. It talks to the providers that make embeddings: routing,
 fallback, batching, caching, keys, rate limits, credits and a ledger.
`;

const md5sums = (files: readonly Entry[]) =>
  files
    .filter(({ path }) => path !== `.${ROUTING_FILE}`)
    .map(
      ({ path, content = "" }) =>
        `${new Bun.CryptoHasher("md5").update(content).digest("hex")}  ${path.slice(2)}\n`,
    )
    .join("");

function copyright(): string {
  const list = allLicenses().map(({ name, version, license }) => `${name} ${version}: ${license}`);
  return `embedgate is under the Apache License 2.0 (/usr/share/common-licenses/Apache-2.0).\n'embedgate licenses' prints the texts of all licences of what is inside:\n\n${list.join("\n")}\n`;
}
