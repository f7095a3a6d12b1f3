/**
 * Loads a plugin file named in the routing file by its path, and says where and why it cannot be used.
 * Works from source and inside the executable alike; a file loaded before is read again, with the files it imports.
 */
import { readFileSync, realpathSync } from "node:fs";
import { dirname } from "node:path";
import type { Host, Plugin, Provider } from "../plugin";
import { checkProvider } from "./provider-shape";

/** A plugin defines things when it is loaded; it must not wait for anything. */
const LOAD_MS_MAX = 10_000;

export type LoadedPlugin =
  | { readonly ok: true; readonly plugin: Plugin; readonly provider: Provider }
  | { readonly ok: false; readonly message: string };

interface Failure {
  readonly line: number;
  readonly column: number;
  readonly reason: string;
  /** Absolute, if it is not the plugin's own file but one that it imports. */
  readonly file?: string;
}

/** How often each path was imported in this process. */
const imports = new Map<string, number>();

/**
 * @param path absolute
 * @param shown the path in the routing file: messages use it, never the absolute path
 */
export async function loadPluginFile(path: string, shown: string, host: Host): Promise<LoadedPlugin> {
  let source: string;
  let real: string;
  try {
    // Bun resolves links, and its errors name the real path.
    real = realpathSync(path);
    source = readFileSync(real, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    const reason =
      code === "ENOENT"
        ? "there is no such file"
        : code === "EISDIR"
          ? "it is a folder"
          : `it cannot be read (${code})`;
    return { ok: false, message: `the plugin file ${shown}: ${reason}` };
  }
  const folder = dirname(real);
  const refuse = (failure: Failure): LoadedPlugin => {
    const named =
      failure.file === undefined || failure.file === real
        ? shown
        : failure.file.replace(`${folder}/`, `${dirname(shown)}/`);
    const place = failure.line > 0 ? `${named}:${failure.line}:${failure.column}` : named;
    // A message may contain absolute paths (of an import that was not found, say): they must not leave this machine.
    const reason = failure.reason
      .replaceAll(real, shown)
      .replaceAll(`${folder}/`, "./")
      .replaceAll(/\?load=\d+/g, "");
    return {
      ok: false,
      message: `the plugin file ${place}: ${inOneLine(reason).slice(0, 500)}`,
    };
  };
  const atDefaultExport = (reason: string): LoadedPlugin =>
    refuse({ ...positionOf(source, "export default"), reason });

  let imported: unknown;
  try {
    imported = await importAnew(real, source, host);
  } catch (error) {
    return refuse(explain(error, real, source));
  }
  if (imported === NEVER) {
    return refuse({
      ...positionOf(source, /^(?:\S.*?)?\b(?=await\b)/m),
      reason: `it was still loading after ${LOAD_MS_MAX / 1000} s; a plugin must not wait at its top level: wait in embed`,
    });
  }
  const plugin = defaultExportOf(imported);
  if (plugin === undefined)
    return refuse({
      line: 1,
      column: 1,
      reason:
        "it has no default export; write `export default ((host) => host.provider({…})) satisfies Plugin`",
    });
  if (!isPlugin(plugin))
    return atDefaultExport(
      `its default export is ${kindOf(plugin)}; expected a function that takes the host and returns a provider`,
    );
  let provider: unknown;
  try {
    provider = plugin(host);
  } catch (error) {
    const failure = explain(error, real, source);
    return refuse({ ...failure, reason: `called with the host, ${failure.reason}` });
  }
  const checked = checkProvider(provider);
  return checked.ok
    ? { ...checked, plugin }
    : atDefaultExport(`its provider is not valid: ${checked.reasons.join("; ")}`);
}

const NEVER = Symbol("never loaded");

async function importAnew(path: string, source: string, host: Host): Promise<unknown> {
  const count = imports.get(path) ?? 0;
  imports.set(path, count + 1);
  const siblings = [...importedFiles(path, source)];
  forget([path, ...siblings]);
  const done = new AbortController();
  try {
    return await Promise.race([
      // The number makes it another module: Bun keeps one that never finished for ever, whatever is deleted from its cache.
      import(count === 0 ? path : `${path}?load=${count}`),
      host.sleep(LOAD_MS_MAX, done.signal).then(
        () => NEVER,
        () => NEVER,
      ),
    ]);
  } catch (error) {
    // After an import of a name that a sibling lacks, Bun holds on to that sibling until it has run once.
    if (error instanceof SyntaxError) {
      await Promise.race([
        Promise.allSettled(siblings.map((sibling) => import(sibling))),
        host.sleep(LOAD_MS_MAX, done.signal).catch(() => undefined),
      ]);
      forget(siblings);
    }
    throw error;
  } finally {
    done.abort();
  }
}

function forget(paths: readonly string[]): void {
  for (const path of paths) delete require.cache[path];
}

/** The files that a plugin imports by relative path, and their imports: they are reloaded too. Packages are not. */
function importedFiles(path: string, source: string, found: Set<string> = new Set()): Set<string> {
  let named: readonly { readonly path: string }[];
  try {
    named = new Bun.Transpiler({ loader: path.endsWith("x") ? "tsx" : "ts" }).scanImports(source);
  } catch {
    // Broken: importing it says why.
    return found;
  }
  for (const { path: specifier } of named) {
    if (!specifier.startsWith(".")) continue;
    try {
      const file = Bun.resolveSync(specifier, dirname(path));
      if (found.has(file)) continue;
      found.add(file);
      importedFiles(file, readFileSync(file, "utf8"), found);
    } catch {
      // Missing: importing it says so.
    }
  }
  return found;
}

function explain(error: unknown, path: string, source: string): Failure {
  const first = error instanceof AggregateError ? error.errors[0] : error;
  if (first instanceof BuildMessage) {
    const { file, line, column } = first.position ?? { file: path, line: 0, column: 0 };
    return { file: file.replace(/\?load=\d+$/, ""), line, column, reason: `syntax error: ${first.message}` };
  }
  if (first instanceof ResolveMessage) {
    const referrer = first.referrer.replace(/\?load=\d+$/, "");
    // Bun leaves `position` empty here, so the import is searched in the text.
    const place = positionOf(referrer === path ? source : readOrEmpty(referrer), first.specifier);
    return {
      file: referrer,
      ...place,
      reason: `it imports a file or package that does not exist: "${first.specifier}"`,
    };
  }
  if (first instanceof Error) {
    const missingName =
      first instanceof SyntaxError ? /^Export named '([^']+)'/.exec(first.message)?.[1] : undefined;
    if (missingName !== undefined) return { ...positionOf(source, missingName), reason: first.message };
    return {
      ...positionInStack(first.stack ?? "", path),
      reason: `it throws ${first.name}: ${first.message}`,
    };
  }
  return { line: 0, column: 0, reason: `it throws ${kindOf(first)} instead of an Error` };
}

/** The topmost stack frame in the plugin's own file, otherwise in a file beside it. */
function positionInStack(stack: string, path: string): { line: number; column: number; file?: string } {
  let beside: { line: number; column: number; file: string } | undefined;
  for (const word of stack.split(/[\s()]+/)) {
    const [, file, line, column] = /^(\/[^?:]*)(?:\?load=\d+)?:(\d+):(\d+)$/.exec(word) ?? [];
    if (file === undefined) continue;
    const place = { file, line: Number(line), column: Number(column) };
    if (file === path) return place;
    if (file.startsWith(`${dirname(path)}/`)) beside ??= place;
  }
  return beside ?? { line: 0, column: 0 };
}

const inOneLine = (text: string) =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .join(" ");

/**
 * Position of the first occurrence of a text in the source, starting at 1; 0 if there is none.
 * @param text or a pattern for everything before it in its line
 */
function positionOf(source: string, text: string | RegExp): { line: number; column: number } {
  const at = typeof text === "string" ? source.indexOf(text) : endOfMatch(text, source);
  if (at === -1) return { line: 0, column: 0 };
  const before = source.slice(0, at).split("\n");
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}

function endOfMatch(pattern: RegExp, source: string): number {
  const match = pattern.exec(source);
  return match === null ? -1 : match.index + match[0].length;
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function defaultExportOf(imported: unknown): unknown {
  return typeof imported === "object" && imported !== null && "default" in imported
    ? imported.default
    : undefined;
}

function isPlugin(value: unknown): value is Plugin {
  return typeof value === "function";
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  return typeof value === "object"
    ? "an object"
    : typeof value === "undefined"
      ? "undefined"
      : `a ${typeof value}`;
}
