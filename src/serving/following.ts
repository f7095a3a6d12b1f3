/**
 * Tells when files have changed: the routing file, and the certificates that it names. A watch on each file hears of most changes at once;
 * a look every few seconds finds the rest: where a link on the way leads elsewhere now, as Kubernetes swaps a ConfigMap's `..data`, where
 * the file system tells of nothing (NFS, FUSE), or where the system has no watch left.
 */
import { type FSWatcher, watch } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import type { Outside } from "../domain/outside";

const LOOK_EVERY_MS = 2_000;
/** Editors write a file in several steps: what comes within this time is one change. */
const SETTLE_MS = 100;

export interface Following {
  /** Looks now, as if a watch had told of something. Resolves once it has looked. */
  look(): Promise<void>;
  stop(): void;
}

interface Followed {
  /** What it was when it was last looked at. */
  state: string;
  watcher: FSWatcher | undefined;
}

/**
 * @param files absolute, as they are now: a reload may name others
 * @param changed called once for all that have changed since the last look
 */
export function follow(
  files: () => readonly string[],
  changed: (files: readonly string[]) => void,
  { alarm }: Pick<Outside, "alarm">,
): Following {
  const followed = new Map<string, Followed>();
  let isStopped = false;
  let looking: Promise<void> | undefined;
  let callOff = () => {};

  function lookIn(ms: number): void {
    callOff();
    if (isStopped) return;
    callOff = alarm(ms, () => void lookOnce());
  }

  function lookOnce(): Promise<void> {
    looking ??= look().finally(() => {
      looking = undefined;
      lookIn(LOOK_EVERY_MS);
    });
    return looking;
  }

  async function look(): Promise<void> {
    const named = new Set(files());
    const news: string[] = [];
    for (const file of named) {
      const state = await stateOf(file);
      const known = followed.get(file);
      if (isStopped || known?.state === state) continue;
      if (known) news.push(file);
      known?.watcher?.close();
      followed.set(file, { state, watcher: watched(file, () => lookIn(SETTLE_MS)) });
    }
    for (const [file, { watcher }] of followed) {
      if (named.has(file)) continue;
      watcher?.close();
      followed.delete(file);
    }
    if (news.length > 0) changed(news);
  }

  void lookOnce();
  return {
    look: lookOnce,
    stop() {
      isStopped = true;
      callOff();
      for (const { watcher } of followed.values()) watcher?.close();
    },
  };
}

/** Where it leads, which file that is, and when it was last written: another one for whatever replaces it. */
async function stateOf(file: string): Promise<string> {
  try {
    const path = await realpath(file);
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return [path, dev, ino, size, mtimeNs, ctimeNs].join(" ");
  } catch (cause) {
    return cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
  }
}

/**
 * The file, and not its folder: where the database lies beside it, that would wake the process at each of its writes.
 * Undefined where it cannot be watched: then the look every few seconds does.
 */
function watched(file: string, heard: () => void): FSWatcher | undefined {
  try {
    return watch(file, { persistent: false }, heard).on("error", () => undefined);
  } catch {
    return undefined;
  }
}
