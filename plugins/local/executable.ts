/**
 * Whether this runs inside the built executable. src/machine/executable.ts has the same, and says why it is not asked of `Bun.embeddedFiles`.
 */
const BUILT_IN = /^(\/\$bunfs\/|[A-Z]:[\\/]~BUN[\\/])/;

export const isExecutable = (): boolean => BUILT_IN.test(Bun.main);
