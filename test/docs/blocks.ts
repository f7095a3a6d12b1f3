/**
 * The fenced blocks of README.md, docs/ and the pages beside README.md, also within lists. After the language a block may say how it is tested:
 * `no-run: why`, `run-by: test/FILE` (which names the page), `from: FILE` (the file has it word for word), `clone` (it runs in the repository's
 * folder), `serves` (it starts a gateway), `litellm` (a file of another program). A new word needs a member of `Block` and a use in
 * blocks.test.ts.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Glob } from "bun";

export const ROOT = join(import.meta.dir, "../..");

export interface Block {
  readonly page: string;
  /** Of its opening fence. */
  readonly line: number;
  readonly language: string;
  readonly text: string;
  /** The words after the language, and what follows their colon. */
  readonly how: ReadonlyMap<string, string>;
}

/** CHANGELOG.md tells of what was, and has no blocks. */
export const PAGES: readonly string[] = ["*.md", "docs/*.md"].flatMap((pattern) =>
  [...new Glob(pattern).scanSync({ cwd: ROOT })].sort(),
);

export const pageText = (page: string) => readFileSync(join(ROOT, page), "utf8");

export function blocksOf(page: string): Block[] {
  const text = pageText(page);
  return [...text.matchAll(/^ *```([^\n`]*)\n([\s\S]*?)^ *```$/gm)].map(
    ({ 1: info = "", 2: body = "", index }) => {
      const [language = "", ...words] = info.trim().split(/\s+/);
      const line = text.slice(0, index).split("\n").length;
      return { page, line, language, text: body, how: howOf(words.join(" ")) };
    },
  );
}

const FLAGS: readonly string[] = ["clone", "serves", "litellm"];
const KEYS: readonly string[] = ["no-run", "run-by", "from"];

function howOf(words: string): ReadonlyMap<string, string> {
  const [, flags = "", key, value = ""] = /^((?:[a-z]+(?: |$))*)(?:([a-z-]+): (\S.*))?$/.exec(words) ?? [
    undefined,
    "unknown",
  ];
  const told = flags
    .split(" ")
    .filter(Boolean)
    .map((flag) => [FLAGS.includes(flag) ? flag : "unknown", flag] as const);
  return new Map([
    ...told,
    ...(key === undefined ? [] : [[KEYS.includes(key) ? key : "unknown", value] as const]),
  ]);
}
