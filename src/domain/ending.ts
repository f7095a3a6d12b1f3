/**
 * Cancellation: an AbortController and its signal in one, at a tenth of the cost, since every request has several.
 * Code that only listens takes an `EndSignal`, which an AbortSignal is too. Plugins and `fetch` get a real one (`abortSignalOf`).
 */

/** The part of AbortSignal that is used here. */
export interface EndSignal {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(type: "abort", listener: () => void): void;
  removeEventListener(type: "abort", listener: () => void): void;
  throwIfAborted(): void;
}

export class Ending implements EndSignal {
  aborted = false;
  reason: unknown;
  private readonly listeners: (() => void)[] = [];

  /** The first reason counts. */
  abort(reason: unknown): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    // A listener that another one removes during the notification is not called any more.
    for (let next = this.listeners.shift(); next; next = this.listeners.shift()) next();
  }

  /** Ends together with another, with the same reason. @returns a function that stops following it */
  follow(other: EndSignal): () => void {
    const end = () => this.abort(other.reason);
    if (other.aborted) end();
    else other.addEventListener("abort", end);
    return () => other.removeEventListener("abort", end);
  }

  addEventListener(_: "abort", listener: () => void): void {
    this.listeners.push(listener);
  }

  removeEventListener(_: "abort", listener: () => void): void {
    const place = this.listeners.indexOf(listener);
    if (place !== -1) this.listeners.splice(place, 1);
  }

  throwIfAborted(): void {
    if (this.aborted) throw this.reason;
  }
}

/** For code that needs an AbortSignal. */
export function abortSignalOf(ending: EndSignal): AbortSignal {
  const controller = new AbortController();
  const abort = () => controller.abort(ending.reason);
  if (ending.aborted) abort();
  else ending.addEventListener("abort", abort);
  return controller.signal;
}
