/**
 * Reports changed files: the routing file, and the certificates that it names. A watch on each file notices most changes at once;
 * a check every few seconds finds the rest: a link in the path that leads elsewhere now, as when Kubernetes swaps a ConfigMap's `..data`, file
 * systems without notifications (NFS, FUSE), or a system without free watches.
 */
import { type FSWatcher, watch } from "node:fs";
import type { Outside } from "../domain/outside";
import { fileState } from "../machine/file-state";

const LOOK_EVERY_MS = 2_000;
/** Editors write a file in several steps: changes within this time count as one. */
const SETTLE_MS = 100;

export interface Following {
  /** Checks now, as if a watch had fired. Resolves once it has checked. */
  look(): Promise<void>;
  stop(): void;
}

interface Followed {
  /** Its state at the last check. */
  state: string;
  watcher: FSWatcher | undefined;
}

/**
 * @param files absolute, the current ones: a reload may name others. Each with the state in which it was read, so that no change between that and
 * the first check is missed
 * @param changed called once for all files that have changed since the last check
 */
export function follow(
  files: () => ReadonlyMap<string, string>,
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
    const named = files();
    const news: string[] = [];
    for (const [file, asRead] of named) {
      const state = await fileState(file);
      const known = followed.get(file);
      if (isStopped || known?.state === state) continue;
      if (state !== (known?.state ?? asRead)) news.push(file);
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

/**
 * Watches the file, not its folder: if the database is beside it, the folder would wake the process at each write of the database.
 * undefined if it cannot be watched: then the check every few seconds is enough.
 */
function watched(file: string, heard: () => void): FSWatcher | undefined {
  try {
    return watch(file, { persistent: false }, heard).on("error", () => undefined);
  } catch {
    return undefined;
  }
}
