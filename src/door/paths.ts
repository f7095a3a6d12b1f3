/**
 * Whether an address is one of the door's paths, as they are written in src/door/http.ts: `:name` is one step, `*` at the end the rest.
 */

/** @param path as it is declared. @param pathname of a request's address */
export function isAt(path: string, pathname: string): boolean {
  const declared = path.split("/");
  const steps = pathname.split("/");
  if (declared.at(-1) === "*") {
    declared.pop();
    // What `*` stands for is never nothing.
    if (steps.length <= declared.length) return false;
    steps.length = declared.length;
  }
  return (
    declared.length === steps.length &&
    declared.every((step, i) => (step.startsWith(":") ? steps[i] !== "" : step === steps[i]))
  );
}
