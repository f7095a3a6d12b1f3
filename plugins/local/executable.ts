/**
 * Whether this runs inside the built executable. src/machine/executable.ts is the same, and says why it does not use `Bun.embeddedFiles`.
 */
const BUILT_IN = /^(\/\$bunfs\/|[A-Z]:[\\/]~BUN[\\/])/;

export const isExecutable = (): boolean => BUILT_IN.test(Bun.main);
