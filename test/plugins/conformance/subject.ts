/**
 * The subject of a conformance test, opened with a clock that the test moves: for a plugin's own tests.
 * src/conformance/subject.ts has how a plugin is opened and called.
 */
import { type Opened, openPlugin, type Subject, type Vendor } from "../../../src/conformance/subject";
import type { Plugin } from "../../../src/plugin";
import { type FakeOutside, fakeOutside } from "../../fake-outside";

export { callFor, failureOf, type Subject, type Vendor } from "../../../src/conformance/subject";

/** Subjects of a plugin that needs only a key: one for each model. */
export const subjectsOf =
  (plugin: Plugin, api_key: string, vendorOf: (model: string) => Vendor) =>
  (model: string): Subject => ({
    plugin,
    options: { api_key },
    model,
    vendor: vendorOf(model),
    secrets: [api_key],
  });

export function openSubject(
  subject: Subject,
  changedOptions: Readonly<Record<string, unknown>> = {},
): Opened & { readonly clock: FakeOutside } {
  const clock = fakeOutside();
  const opened = openPlugin(subject, clock.outside, changedOptions);
  const outside = { ...clock.outside, fetch: opened.network.fetch };
  return { ...opened, clock: { ...clock, outside } };
}
