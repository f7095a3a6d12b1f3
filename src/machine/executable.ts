/**
 * Whether this runs as the built executable or from source, where Bun runs main.ts.
 * plugins/local has its own copy, as plugins must not import from src/.
 */

/** The virtual folder of files inside an executable. */
const BUILT_IN = /^(\/\$bunfs\/|[A-Z]:[\\/]~BUN[\\/])/;

/**
 * This does not use `Bun.embeddedFiles`, which makes a Blob of each file inside. The garbage collector counts their bytes as live heap, and so
 * allows three times the model's 23 MB of additional garbage.
 */
export const isExecutable = (main = Bun.main): boolean => BUILT_IN.test(main);
