/** A name as a shell takes it, for commands that people copy: some names are callers' own. */
export const quoted = (name: string) =>
  /^[\w./@:+-]+$/.test(name) ? name : `'${name.replaceAll("'", `'\\''`)}'`;
