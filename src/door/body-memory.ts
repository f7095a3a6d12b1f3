/**
 * Limits the memory for the bodies of requests in flight (`server.max_body_memory_mb`), in bytes. A body that does not fit
 * waits unread: Bun then reads no more from its connection. One workspace leaves some memory for all others.
 */
import type { EndSignal } from "../domain/ending";
import { GatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";

export interface BodyMemory {
  /** For one request; call `leave` once nothing holds its body any more. */
  enter(workspace: string): BodyPlace;
  /** The total in bytes. */
  held(): number;
}

export interface BodyPlace {
  /**
   * Reserves memory for a body of this total size. The first call may wait; a body that grows beyond its reservation is refused if it does not fit,
   * because bodies that wait for each other would wait for ever.
   * @throws GatewayError busy, or the reason of `over`
   */
  hold(bytes: number, over: EndSignal): Promise<void> | undefined;
  leave(): void;
}

/** The most that one workspace may hold, unless it holds nothing yet, so that it cannot keep the others out. */
const WORKSPACE_PART = 3 / 4;
/** Longer than most requests take, and shorter than clients wait. */
const WAIT_MS_MAX = 10_000;

interface Waiting {
  readonly fits: () => boolean;
  readonly admit: () => void;
}

/** @param bytesMax the current limit: a reload may change it. A larger body is accepted once no other is held. */
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

  class Place implements BodyPlace {
    private own = 0;

    constructor(private readonly workspace: string) {}

    hold(bytes: number, over: EndSignal): Promise<void> | undefined {
      const more = bytes - this.own;
      if (more <= 0) return undefined;
      if (over.aborted) throw over.reason;
      if (fits(this.workspace, more)) {
        take(this.workspace, more);
        this.own = bytes;
        return undefined;
      }
      if (this.own > 0) throw full();
      return wait(this.workspace, more, over, () => {
        this.own = bytes;
      });
    }

    leave(): void {
      if (this.own === 0) return;
      take(this.workspace, -this.own);
      this.own = 0;
      admitWaiting();
    }
  }

  return {
    enter: (workspace) => new Place(workspace),
    held: () => heldByAll,
  };
}

const full = () =>
  new GatewayError(
    "busy",
    "The memory for request bodies is used up by requests in flight (server.max_body_memory_mb): try again in a moment, with fewer inputs in one request or fewer requests at once.",
    { retryAfterMs: 1_000 },
  );
