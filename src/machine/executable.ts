/**
 * Whether this is the built executable, which is its own program; from source it is Bun, which runs main.ts.
 * plugins/local has the same in words of its own, for a plugin knows nothing of src/.
 */

/** Where an executable keeps what was built into it. */
const BUILT_IN = /^(\/\$bunfs\/|[A-Z]:[\\/]~BUN[\\/])/;

/**
 * Not asked of `Bun.embeddedFiles`: that makes a Blob of each file inside, whose bytes the garbage collector counts as its own, so that it
 * lets three times the model's 23 MB more garbage stand.
 */
export const isExecutable = (main = Bun.main): boolean => BUILT_IN.test(main);
