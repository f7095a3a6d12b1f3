/**
 * The memory that the bodies of requests in flight may hold (`server.max_body_memory_mb`), counted in their bytes. A body that does not fit
 * waits, unread: Bun then takes no more of it from its connection. One workspace leaves a part for all others.
 */
import type { EndSignal } from "../domain/ending";
import { GatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";

export interface BodyMemory {
  /** For one request; `leave` must be called once nothing holds its body any more. */
  enter(workspace: string): BodyPlace;
  /** Of all, in bytes. */
  held(): number;
}

export interface BodyPlace {
  /**
   * Room for a body of so many bytes in all. The first time it may have to wait; what grows beyond is refused where it does not fit, since
   * bodies that wait for one another would all wait.
   * @throws GatewayError busy, or the reason of `over`
   */
  hold(bytes: number, over: EndSignal): Promise<void> | undefined;
  leave(): void;
}

/** What one workspace may hold of it, unless it holds nothing yet: a flood of its own does not keep the others out. */
const WORKSPACE_PART = 3 / 4;
/** Longer than most requests take, and shorter than clients wait. */
const WAIT_MS_MAX = 10_000;

interface Waiting {
  readonly fits: () => boolean;
  readonly admit: () => void;
}

/** @param bytesMax as it is now: a reload may change it. A larger body is let in once no other is held. */
export function createBodyMemory(bytesMax: () => number, { alarm }: Pick<Outside, "alarm">): BodyMemory {
  const heldBy = new Map<string, number>();
  /** Longest wait first, except for workspaces that have their share. */
  const waiting = new Set<Waiting>();
  let heldByAll = 0;

  function take(workspace: string, bytes: number): void {
    heldByAll += bytes;
    const now = (heldBy.get(workspace) ?? 0) + bytes;
    if (now > 0) heldBy.set(workspace, now);
    else heldBy.delete(workspace);
  }

  function fits(workspace: string, bytes: number): boolean {
    const own = heldBy.get(workspace) ?? 0;
    if (own > 0 && own + bytes > bytesMax() * WORKSPACE_PART) return false;
    return heldByAll === 0 || heldByAll + bytes <= bytesMax();
  }

  function admitWaiting(): void {
    for (const one of waiting) if (one.fits()) one.admit();
  }

  function wait(workspace: string, bytes: number, over: EndSignal, taken: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = () => {
        waiting.delete(one);
        callOff();
        over.removeEventListener("abort", stop);
      };
      const stop = () => {
        done();
        reject(over.reason);
      };
      const one: Waiting = {
        fits: () => fits(workspace, bytes),
        admit() {
          done();
          take(workspace, bytes);
          taken();
          resolve();
        },
      };
      const callOff = alarm(WAIT_MS_MAX, () => {
        done();
        reject(full());
      });
      waiting.add(one);
      over.addEventListener("abort", stop);
    });
  }

  return {
    enter(workspace) {
      let own = 0;
      return {
        hold(bytes, over) {
          const more = bytes - own;
          if (more <= 0) return undefined;
          if (over.aborted) throw over.reason;
          if (fits(workspace, more)) {
            take(workspace, more);
            own = bytes;
            return undefined;
          }
          if (own > 0) throw full();
          return wait(workspace, more, over, () => {
            own = bytes;
          });
        },
        leave() {
          if (own === 0) return;
          take(workspace, -own);
          own = 0;
          admitWaiting();
        },
      };
    },
    held: () => heldByAll,
  };
}

const full = () =>
  new GatewayError(
    "busy",
    "The memory for request bodies is used up by requests in flight (server.max_body_memory_mb): try again in a moment, with fewer inputs in one request or fewer requests at once.",
    { retryAfterMs: 1_000 },
  );
