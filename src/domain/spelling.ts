/**
 * Names of fields as servers may read them: some ignore case, some accept camelCase or snake_case, some fold letters that only look
 * alike. Two names with one normalised spelling count as one here, so that no variant bypasses a rule.
 */

const PLAIN = /^[a-z0-9]*$/;

/** Only letters and digits, in one case and one form: `Late_Chunking`, `lateChunking` and `late-chunking` are equal. */
export function spelling(name: string): string {
  if (PLAIN.test(name)) return name;
  return name
    .normalize("NFKC")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]/gu, "");
}

/** A name somewhere inside a value. */
export interface NameWithin {
  readonly name: string;
  readonly spelt: string;
  /** As a caller would write it: `parameters.list[1].name`. */
  readonly path: string;
  /** 0 for the outermost object's own names. */
  readonly depth: number;
  readonly value: unknown;
}

/** The first name that passes a test, outer names before inner ones. @param value not nested too deeply (dialects/depth.ts) */
export function findName(
  value: unknown,
  isMeant: (found: NameWithin) => boolean,
  at: { readonly path: string; readonly depth: number } = { path: "", depth: 0 },
): NameWithin | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { path, depth } = at;
  if (Array.isArray(value)) {
    for (const [place, entry] of value.entries()) {
      const found = findName(entry, isMeant, { path: `${path}[${place}]`, depth });
      if (found) return found;
    }
    return undefined;
  }
  if (isEmpty(value)) return undefined;
  const names = Object.entries(value).map(([name, within]: [string, unknown]) => ({
    name,
    spelt: spelling(name),
    path: path === "" ? name : `${path}.${name}`,
    depth,
    value: within,
  }));
  const own = names.find(isMeant);
  if (own) return own;
  for (const inner of names) {
    const found = findName(inner.value, isMeant, { path: inner.path, depth: depth + 1 });
    if (found) return found;
  }
  return undefined;
}

/** The usual case. */
function isEmpty(value: object): boolean {
  for (const _ in value) return false;
  return true;
}

/** Objects' own names that were found to have no twins: programs send the same few again and again. */
const twinless = new Set<string>();
const TWINLESS_MAX = 1_000;
const NAMES_LENGTH_MAX = 1_000;

/** Like `twinsIn`, but much faster for the bodies of requests, most of which have the same names. */
export function twinsInBody(body: unknown): ReturnType<typeof twinsIn> {
  let names = "";
  for (const [name, value] of Object.entries(body ?? {})) {
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return twinsIn(body);
    // Each with its length, so that no name can imitate two.
    names += `${name.length} ${name} `;
  }
  if (twinless.has(names)) return undefined;
  const twins = twinsIn(body);
  if (twins || names.length > NAMES_LENGTH_MAX) return twins;
  if (twinless.size >= TWINLESS_MAX) twinless.clear();
  twinless.add(names);
  return undefined;
}

/**
 * Two names of one object, at any depth, that a case-insensitive reader takes for one; lists are not searched.
 * @returns the path of the first of them, and the other one's name
 */
export function twinsIn(value: unknown, path = ""): readonly [first: string, other: string] | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const spelt = new Map<string, string>();
  for (const [name, within] of Object.entries(value)) {
    const known = spelling(name);
    const twin = spelt.get(known);
    if (twin !== undefined) return [`${path}${twin}`, name];
    spelt.set(known, name);
    const inner = twinsIn(within, `${path}${name}.`);
    if (inner) return inner;
  }
  return undefined;
}
