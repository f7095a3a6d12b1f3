/**
 * The suite that judges every plugin (src/conformance/suite.ts) as tests: `conformance({ plugin, options, model, vendor })` in a test file.
 * A plugin's own test has what is special about its API.
 */
import { describe, test } from "bun:test";
import { titleOf } from "../../src/conformance/bench";
import type { Subject } from "../../src/conformance/subject";
import { suiteFor } from "../../src/conformance/suite";
import { fakeOutside } from "../fake-outside";

export type { Subject, Vendor } from "../../src/conformance/subject";

/**
 * Registers the suite's tests.
 * @param subject its `vendor` makes most of the suite apply; a plugin without a network leaves it out.
 */
export function conformance(subject: Subject): void {
  for (const { name, checks } of suiteFor(subject, () => fakeOutside().outside)) {
    describe(name, () => {
      for (const check of checks)
        test.skipIf(check.skipped !== undefined)(titleOf(check), async () => check.run());
    });
  }
}
