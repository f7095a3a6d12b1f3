/**
 * Loads routing-file text for a test: in a folder of its own, with the small plugins of plugins.ts and a real host.
 * What only one test needs is passed in `how`.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { formatProblem, type Loaded, loadConfig } from "../../src/config/load";
import type { Machine } from "../../src/config/sections";
import { realOutside } from "../../src/network/real-outside";
import type { Host } from "../../src/plugin";
import { createHost } from "../../src/upstream/host";
import { TEST_PLUGINS } from "./plugins";

export interface Folder extends Disposable {
  readonly path: string;
  /** Writes a file into the folder, creating subfolders. */
  write(name: string, content: string | Uint8Array): void;
  load(how?: {
    readonly file?: string;
    readonly environment?: Readonly<Record<string, string>>;
    readonly host?: Host;
    readonly machine?: Machine;
  }): Promise<Loaded>;
}

const FOUR_CORES: Machine = { cores: 4, sharesPorts: true, memoryBytes: 8 * 2 ** 30 };

export function makeFolder(): Folder {
  const path = mkdtempSync(join(tmpdir(), "embedgate-config-"));
  return {
    path,
    write(name, content) {
      mkdirSync(dirname(join(path, name)), { recursive: true });
      writeFileSync(join(path, name), content);
    },
    load: ({ file, environment = {}, host = createHost(realOutside), machine = FOUR_CORES } = {}) =>
      loadConfig({
        file,
        folder: path,
        environment,
        host: () => host,
        now: Date.now(),
        bundled: TEST_PLUGINS,
        machine,
      }),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}

/** The problems as lines; "ok" for a valid file. */
export function told(loaded: Loaded): string {
  return loaded.ok ? "ok" : loaded.problems.map(formatProblem).join("\n");
}

export const RIGHT_FILE = `providers:
  local: { plugin: local }
models:
  all-MiniLM-L6-v2: { routes: [ { provider: local } ] }
`;
