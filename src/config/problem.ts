/**
 * A problem with a routing file: position in the text, path of keys, message.
 * Every check of src/config/ produces these, so that all of them look alike and are sorted by line.
 */

export interface Problem {
  /** As the user gave it, relative to the current folder. */
  readonly file: string;
  /** Starting at 1; 0 for the file as a whole. */
  readonly line: number;
  readonly column: number;
  /** Such as `models.docs.routes[0].provider`; empty if no key is meant. */
  readonly path: string;
  /** What was wrong, what was expected, what to do. Never a value that came from a variable. */
  readonly message: string;
}

/** A file with more problems is not a routing file, or repeats one mistake a thousand times: more messages would not help. */
export const MOST_PROBLEMS = 1000;

/** `gateway.yaml:12:5: models.docs.routes[0].provider: unknown provider "loacl"; did you mean "local"?` */
export function formatProblem(problem: Problem): string {
  const place = problem.line === 0 ? problem.file : `${problem.file}:${problem.line}:${problem.column}`;
  return problem.path === ""
    ? `${place}: ${problem.message}`
    : `${place}: ${problem.path}: ${problem.message}`;
}

export function byPlace(a: Problem, b: Problem): number {
  return a.line - b.line || a.column - b.column;
}

/** A key or index added to a JSON pointer (RFC 6901). */
export function below(pointer: string, step: string | number): string {
  return `${pointer}/${String(step).replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

export function stepsOf(pointer: string): string[] {
  return pointer
    .split("/")
    .slice(1)
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
}

export function parentOf(pointer: string): string {
  return pointer.slice(0, Math.max(0, pointer.lastIndexOf("/")));
}

/** A JSON pointer as people write paths: `/models/docs/routes/0` → `models.docs.routes[0]`. */
export function readablePath(pointer: string): string {
  let path = "";
  for (const step of stepsOf(pointer)) {
    if (/^\d+$/.test(step)) path += `[${step}]`;
    else if (/^[\w\-/:@+*]+$/.test(step)) path += path === "" ? step : `.${step}`;
    // A dot in a key would look like two keys.
    else path += `[${JSON.stringify(step.length > 80 ? `${step.slice(0, 79)}…` : step)}]`;
  }
  return path;
}
