/**
 * Second step: YAML text to plain values, with variables filled in and the position of every key and value kept.
 * yaml-errors.ts turns the messages of the `yaml` parser into our own.
 */
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type Scalar,
  type YAMLMap,
} from "yaml";
import { bareTemplates, doubtsOfText, doubtsOfValue } from "./dirty-values";
import { below, type Problem, parentOf, readablePath, stepsOf } from "./problem";
import {
  fillVariables,
  maskVariables,
  privateSignIn,
  unclosedVariables,
  unmaskVariables,
  type ValueSources,
} from "./variables";
import { describeSyntaxError } from "./yaml-errors";
import { slipBehind } from "./yaml-places";

/** Far more than anybody writes; an alias bomb of nine lines would make a billion. */
const MOST_NODES = 100_000;
const MOST_DEPTH = 64;
const MOST_SYNTAX_PROBLEMS = 20;

/** The file's values, and for each JSON pointer its position in the text. */
export class Tree {
  value: unknown = undefined;
  readonly problems: Problem[] = [];
  /** Doubtful values, which are accepted anyway. */
  readonly notes: Problem[] = [];
  /** The written text of each scalar that a variable was filled into: messages show that text instead. */
  readonly written = new Map<string, string>();
  /** Scalars that are a single variable: text that may stand for a number. */
  readonly whole = new Set<string>();
  /** Names of unset variables, and of files without a value (`file:PATH`), by the scalar that needs them. */
  readonly missing = new Map<string, readonly string[]>();
  /** Positions of aliases that lead nowhere: reported already, and not to be reported again as values of the wrong type. */
  readonly broken = new Set<string>();
  readonly keys = new Map<string, number>();
  readonly values = new Map<string, number>();

  constructor(
    readonly file: string,
    readonly lines: LineCounter,
  ) {}

  /** A problem at a key or a value; for something that is not in the file, at the nearest enclosing thing that is. */
  problem(pointer: string, message: string, at: "key" | "value" = "value"): Problem {
    const [first, second] = at === "key" ? [this.keys, this.values] : [this.values, this.keys];
    let offset: number | undefined;
    for (let place = pointer; offset === undefined; place = parentOf(place)) {
      offset = first.get(place) ?? second.get(place);
      if (place === "") break;
    }
    const { line, col } = this.lines.linePos(offset ?? 0);
    return {
      file: this.file,
      line: Math.max(1, line),
      column: Math.max(1, col),
      path: readablePath(pointer),
      message,
    };
  }

  problemAt(offset: number, message: string): Problem {
    const { line, col } = this.lines.linePos(offset);
    return { file: this.file, line: Math.max(1, line), column: Math.max(1, col), path: "", message };
  }
}

/** @param file the name in messages */
export function growTree(text: string, file: string, sources: ValueSources): Tree {
  const lines = new LineCounter();
  const tree = new Tree(file, lines);
  // The line counter learns lines while parsing; a problem found earlier needs at least the first one.
  lines.addNewLine(0);
  const foreign = privateSignIn(text);
  if (foreign !== -1) {
    for (let i = text.indexOf("\n"); i !== -1; i = text.indexOf("\n", i + 1)) lines.addNewLine(i + 1);
    tree.problems.push(tree.problemAt(foreign, "contains a Unicode private-use character; remove it"));
    return tree;
  }
  lines.lineStarts.length = 0;
  // Our own walk reports duplicate keys: the parser compares each key with each.
  // `prettyErrors` would put the source line, and with it a secret, into the message.
  const document = parseDocument(maskVariables(text), {
    lineCounter: lines,
    merge: true,
    stringKeys: true,
    uniqueKeys: false,
    prettyErrors: false,
    resolveKnownTags: false,
  });
  const toldLines = new Set<number>();
  const toldAt = new Set<number>();
  if (document.errors.length > 0) {
    // An unclosed variable often causes a parser error several lines later.
    for (const { offset, message } of [...unclosedVariables(text), ...bareTemplates(text)]) {
      const problem = tree.problemAt(offset, message);
      toldLines.add(problem.line);
      tree.problems.push(problem);
    }
  }
  for (const error of [...document.errors, ...document.warnings]) {
    const { offset, message } = slipBehind(text, error, document.errors) ?? {
      offset: error.pos[0],
      message: describeSyntaxError(error),
    };
    const problem = tree.problemAt(offset, message);
    // One mistake may cause several parser errors on the same line.
    if (toldAt.has(error.pos[0]) || toldLines.has(problem.line) || toldLines.size >= MOST_SYNTAX_PROBLEMS)
      continue;
    toldAt.add(error.pos[0]);
    toldLines.add(problem.line);
    tree.problems.push(problem);
  }
  if (tree.problems.length > 0) return tree;
  try {
    tree.value = new Walk(tree, sources, document).convert(document.contents, "", 0);
  } catch (error) {
    if (!(error instanceof TooMuch)) throw error;
    tree.problems.push(error.problem);
  }
  return tree;
}

class TooMuch extends Error {
  constructor(readonly problem: Problem) {
    super(problem.message);
  }
}

class Walk {
  #nodes = 0;
  #insideAlias = 0;
  readonly #anchors = new Map<string, Node>();
  readonly #open = new Set<Node>();

  constructor(
    readonly tree: Tree,
    readonly sources: ValueSources,
    readonly document: Pick<Document, "getIn">,
  ) {}

  convert(node: unknown, pointer: string, depth: number): unknown {
    if (isAlias(node))
      return this.#throughAlias(node, pointer, (target) => this.convert(target, pointer, depth + 1));
    if (!isScalar(node) && !isMap(node) && !isSeq(node)) return null;
    this.#count(node, depth);
    const start = node.range?.[0];
    // An empty value has no text of its own: it is reported at its key.
    if (start !== undefined && !(isScalar(node) && node.value === null && !node.source)) {
      this.tree.values.set(pointer, start);
    }
    if (node.anchor !== undefined && this.#insideAlias === 0) this.#anchors.set(node.anchor, node);
    if (isScalar(node)) return this.#scalar(node, pointer);
    this.#open.add(node);
    let converted: unknown;
    if (isSeq(node))
      converted = node.items.map((item, i) => this.convert(item, below(pointer, i), depth + 1));
    else {
      const mapping: Record<string, unknown> = {};
      this.#mapping(node, pointer, depth, mapping);
      converted = mapping;
    }
    this.#open.delete(node);
    return converted;
  }

  /** The keys of `node` that `into` does not have yet; merged ones (`<<`) after its own, so that its own win. */
  #mapping(
    node: YAMLMap<unknown, unknown>,
    pointer: string,
    depth: number,
    into: Record<string, unknown>,
  ): void {
    const own = new Map<string, number>();
    const merged: unknown[] = [];
    for (const { key, value } of node.items) {
      if (!isScalar(key)) {
        const range = isAlias(key) || isMap(key) || isSeq(key) ? key.range : undefined;
        this.tree.problems.push(
          this.tree.problemAt(range?.[0] ?? 0, "a key is plain text, not an alias or a collection"),
        );
        continue;
      }
      const name = unmaskVariables(String(key.value ?? ""));
      const offset = key.range?.[0] ?? 0;
      if (name === "<<" && key.type === "PLAIN") {
        this.tree.keys.set(below(pointer, name), offset);
        merged.push(value);
        continue;
      }
      const place = below(pointer, name);
      const first = own.get(name);
      if (first !== undefined) {
        const { line } = this.tree.lines.linePos(first);
        this.tree.keys.set(place, offset);
        this.tree.problems.push(
          this.tree.problem(place, `duplicate key (first on line ${line}); keep one`, "key"),
        );
        this.tree.keys.set(place, first);
        continue;
      }
      own.set(name, offset);
      if (Object.hasOwn(into, name)) continue;
      this.tree.keys.set(place, offset);
      if (name === "__proto__") {
        this.tree.problems.push(this.tree.problem(place, "this name is reserved; use another", "key"));
      } else if (name.includes("${")) {
        this.tree.problems.push(
          this.tree.problem(place, "variables are replaced in values only, not in keys", "key"),
        );
      } else into[name] = this.convert(value, place, depth + 1);
    }
    for (const source of merged) this.#merge(source, pointer, depth, into);
  }

  #merge(source: unknown, pointer: string, depth: number, into: Record<string, unknown>): void {
    if (isAlias(source)) {
      this.#throughAlias(source, pointer, (target) => this.#merge(target, pointer, depth + 1, into));
    } else if (isSeq(source)) for (const item of source.items) this.#merge(item, pointer, depth + 1, into);
    else if (isMap(source)) {
      this.#count(source, depth);
      this.#open.add(source);
      this.#mapping(source, pointer, depth, into);
      this.#open.delete(source);
    } else {
      this.tree.problems.push(
        this.tree.problem(below(pointer, "<<"), "`<<` takes a mapping, or a list of them", "key"),
      );
    }
  }

  #throughAlias(alias: Alias, pointer: string, go: (target: Node) => unknown): unknown {
    const target = this.#anchors.get(alias.source);
    const offset = alias.range?.[0] ?? 0;
    if (target === undefined || this.#open.has(target)) {
      this.tree.values.set(pointer, offset);
      this.tree.broken.add(pointer);
      const why = target === undefined ? "has no anchor (&) above it" : "is inside its own anchor";
      this.tree.problems.push(this.tree.problem(pointer, `the alias *${alias.source.slice(0, 60)} ${why}`));
      return null;
    }
    this.#insideAlias++;
    const converted = go(target);
    this.#insideAlias--;
    return converted;
  }

  #scalar(node: Scalar, pointer: string): unknown {
    if (typeof node.value !== "string") return node.value;
    const written = unmaskVariables(node.value);
    if (!written.includes("${")) return this.#literal(written, node, pointer);
    const filled = fillVariables(written, this.sources);
    for (const value of filled.values) {
      for (const doubt of doubtsOfValue(value)) this.tree.notes.push(this.tree.problem(pointer, doubt));
    }
    if (filled.malformed !== undefined) this.tree.problems.push(this.tree.problem(pointer, filled.malformed));
    if (filled.missing.length > 0) this.tree.missing.set(pointer, filled.missing);
    if (filled.fromVariables) this.tree.written.set(pointer, written);
    if (filled.whole) this.tree.whole.add(pointer);
    return isPrompt(pointer) ? filled.text : filled.text.trim();
  }

  /** Text without a variable. */
  #literal(text: string, { type }: Scalar, pointer: string): string {
    const isBlock = type === "BLOCK_LITERAL" || type === "BLOCK_FOLDED";
    if (isPrompt(pointer)) return text;
    const [section, provider] = stepsOf(pointer);
    // A plugin file's own options have their own meaning: a prefix of texts may well end with a blank.
    const plugin = section === "providers" ? this.document.getIn([section, provider, "plugin"]) : undefined;
    if (text !== text.trim() && typeof plugin === "string" && /^[./]/.test(plugin)) return text;
    for (const { message, isProblem } of doubtsOfText(text, this.sources.environment, isBlock)) {
      (isProblem ? this.tree.problems : this.tree.notes).push(this.tree.problem(pointer, message));
    }
    return text.trim();
  }

  #count(node: Node, depth: number): void {
    this.#nodes++;
    const offset = node.range?.[0] ?? 0;
    if (this.#nodes > MOST_NODES) {
      throw new TooMuch(
        this.tree.problemAt(
          offset,
          `more than ${MOST_NODES} values once the aliases (*) are written out; no routing file has as many`,
        ),
      );
    }
    if (depth > MOST_DEPTH) {
      throw new TooMuch(
        this.tree.problemAt(offset, `nested more than ${MOST_DEPTH} deep; no routing file is`),
      );
    }
  }
}

/** A model's prompt usually ends with a blank, which is part of it. */
function isPrompt(pointer: string): boolean {
  const [section, , key] = stepsOf(pointer);
  return section === "models" && key === "prompts";
}
