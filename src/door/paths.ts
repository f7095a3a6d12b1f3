/**
 * Whether an address is one of the door's paths, as they are written in src/door/http.ts: `:name` is one step, `*` at the end the rest.
 */

/**
 * Elysia cuts the path out of an address from its 11th character on, or from the 7th where it is told so: with TLS the one is too far on
 * for names of one or two letters, and the other too short for all (findings/elysia-short-host.sh).
 */
export const isCutTooFar = (url: string): boolean =>
  url.indexOf("/", "https://".length) < 11 && url.startsWith("https:");

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
