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
  /** Most have one listener at a time. */
  private listener: (() => void) | undefined;
  /** Those that came after it. */
  private others: (() => void)[] | undefined;

  /** The first reason counts. */
  abort(reason: unknown): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    // A listener that another one removes during the notification is not called any more.
    for (let next = this.shift(); next; next = this.shift()) next();
  }

  /** Ends together with another, with the same reason. @returns a function that stops following it */
  follow(other: EndSignal): () => void {
    const end = () => this.abort(other.reason);
    if (other.aborted) end();
    else other.addEventListener("abort", end);
    return () => other.removeEventListener("abort", end);
  }

  addEventListener(_: "abort", listener: () => void): void {
    if (this.listener === undefined) this.listener = listener;
    else if (this.others === undefined) this.others = [listener];
    else this.others.push(listener);
  }

  removeEventListener(_: "abort", listener: () => void): void {
    if (this.listener === listener) {
      this.shift();
      return;
    }
    const place = this.others?.indexOf(listener) ?? -1;
    if (place !== -1) this.others?.splice(place, 1);
  }

  throwIfAborted(): void {
    if (this.aborted) throw this.reason;
  }

  /** Takes the first listener off. */
  private shift(): (() => void) | undefined {
    const first = this.listener;
    this.listener = this.others?.shift();
    return first;
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
