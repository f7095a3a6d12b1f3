/**
 * The subject of a conformance test, opened under a clock that the test moves: for what only one plugin's own test asks.
 * How a plugin is opened and called is in src/conformance/subject.ts.
 */
import { type Opened, openPlugin, type Subject } from "../../../src/conformance/subject";
import { type FakeOutside, fakeOutside } from "../../fake-outside";

export { callFor, failureOf, type Subject, type Vendor } from "../../../src/conformance/subject";

export function openSubject(
  subject: Subject,
  changedOptions: Readonly<Record<string, unknown>> = {},
): Opened & { readonly clock: FakeOutside } {
  const clock = fakeOutside();
  const opened = openPlugin(subject, clock.outside, changedOptions);
  const outside = { ...clock.outside, fetch: opened.network.fetch };
  return { ...opened, clock: { ...clock, outside } };
}
