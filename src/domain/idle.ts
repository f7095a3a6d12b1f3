/**
 * The idle timeout of connections, as the server counts it.
 */

/** In whole seconds, rounded up. */
export const secondsOf = (idle_timeout_ms: number): number => Math.ceil(idle_timeout_ms / 1000);
