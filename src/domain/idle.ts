/**
 * The idle timeout of connections, as the server counts it.
 */

/** Whole seconds, no less than were asked for. */
export const secondsOf = (idle_timeout_ms: number): number => Math.ceil(idle_timeout_ms / 1000);
