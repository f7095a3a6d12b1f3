/**
 * Servers of one's own load a model when it is first asked for, and again after they have let it go (Ollama after 5 minutes, `keep_alive`):
 * from a slow disk, or onto a processor, that takes 40 s and more.
 */

/** Longest time of an attempt there, unless the routing file says otherwise. */
export const LOADING_MS = 120_000;
