/**
 * What a routing file may say that this version does not act on: noted, or refused where silence would cost money or open a door.
 * When a key comes to life its row goes away.
 */

import { below, type Problem } from "./problem";
import { entriesOf } from "./providers";
import type { Tree } from "./tree";

type Verdict = { readonly verdict: "note" | "refuse"; readonly message: string } | undefined;

/** Keys by section. A value that the schema refused comes by here too, so each row looks for what it knows. */
const ROWS: Readonly<Record<string, (value: unknown) => Verdict>> = {
  "/auth/jwt": () => ({
    verdict: "note",
    message:
      "read, but this version takes no tokens yet: such callers get 401, and a key is always asked for",
  }),
};

export function checkNotYet(tree: Tree, document: unknown, problems: Problem[], notes: Problem[]): void {
  const sections = new Map<string, unknown>();
  for (const [section, value] of entriesOf(document)) {
    sections.set(below("", section), value);
    for (const [key, inner] of entriesOf(value)) sections.set(below(below("", section), key), inner);
  }
  for (const [pointer, judge] of Object.entries(ROWS)) {
    if (!sections.has(pointer)) continue;
    const told = judge(sections.get(pointer));
    if (told === undefined) continue;
    (told.verdict === "note" ? notes : problems).push(tree.problem(pointer, told.message, "key"));
  }
}
