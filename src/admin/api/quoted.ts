/** Quotes a name for a shell, in commands that people copy: callers choose some names. */
export const quoted = (name: string) =>
  /^[\w./@:+-]+$/.test(name) ? name : `'${name.replaceAll("'", `'\\''`)}'`;
