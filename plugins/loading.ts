/**
 * Self-hosted servers load a model at its first request, and again after they have unloaded it (Ollama after 5 minutes, `keep_alive`).
 * From a slow disk, or onto a CPU, loading takes 40 s and more.
 */

/** Default timeout of an attempt at such a server. */
export const LOADING_MS = 120_000;
