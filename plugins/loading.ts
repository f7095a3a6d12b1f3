/**
 * Self-hosted servers load a model at its first request, and again after they have unloaded it (Ollama after 5 minutes, `keep_alive`):
 * from a slow disk, or onto a processor, that takes 40 s and more.
 */

/** Longest time of an attempt there, unless the routing file says otherwise. */
export const LOADING_MS = 120_000;
