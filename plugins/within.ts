/**
 * A timeout for work, such as a request to an address that may not answer: its signal fires when the time is over.
 */
import type { Host } from "../src/plugin";

/** @param late the error's message */
export async function within<Value>(
  host: Pick<Host, "sleep" | "failure">,
  ms: number,
  late: string,
  work: (signal: AbortSignal) => Promise<Value>,
): Promise<Value> {
  const over = new AbortController();
  const timer = new AbortController();
  host.sleep(ms, timer.signal).then(
    () => over.abort(host.failure("timeout", late)),
    () => undefined,
  );
  try {
    return await work(over.signal);
  } finally {
    timer.abort();
  }
}

/** For one of several callers that wait for the same work: its signal ends its own wait, not the work. */
export function unlessOver<Value>(work: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const over = () => reject(signal.reason);
    signal.addEventListener("abort", over, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", over));
  });
}
