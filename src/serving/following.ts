/**
 * Reports changed files: the routing file, and the certificates that it names. A watch on each file hears of most changes at once;
 * a look every few seconds finds the rest: where a link on the way leads elsewhere now, as Kubernetes swaps a ConfigMap's `..data`, where
 * the file system tells of nothing (NFS, FUSE), or where the system has no watch left.
 */
import { type FSWatcher, watch } from "node:fs";
import type { Outside } from "../domain/outside";
import { fileState } from "../machine/file-state";

const LOOK_EVERY_MS = 2_000;
/** Editors write a file in several steps: what comes within this time is one change. */
const SETTLE_MS = 100;

export interface Following {
  /** Looks now, as if a watch had fired. Resolves once it has looked. */
  look(): Promise<void>;
  stop(): void;
}

interface Followed {
  /** Its state at the last look. */
  state: string;
  watcher: FSWatcher | undefined;
}

/**
 * @param files absolute, as they are now: a reload may name others. Each with the state it was read in, so that no change between that and
 * the first look is missed
 * @param changed called once for all that have changed since the last look
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
