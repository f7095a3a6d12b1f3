/**
 * The one suite that judges every plugin, bundled or outside: `conformance({ plugin, options, model, vendor })` in a test file.
 * A new promise of src/plugin.ts is asked for in one of conformance/*.ts; what a wire alone has stays in that plugin's own test.
 */
import { describe } from "bun:test";
import { answersRight } from "./conformance/answers";
import { failsRight } from "./conformance/failures";
import { keepsSecrets } from "./conformance/secrets";
import { keepsItsShape } from "./conformance/shape";
import type { Subject } from "./conformance/subject";
import { sendsRight } from "./conformance/wire";

export type { Subject, Vendor } from "./conformance/subject";

/**
 * Registers the suite's tests.
 * @param subject its `vendor` is what makes most of the suite apply; a plugin without a network leaves it out.
 */
export function conformance(subject: Subject): void {
  describe("the contract", () => keepsItsShape(subject));
  describe("answers", () => answersRight(subject));
  const { vendor } = subject;
  if (!vendor) return;
  describe("the wire", () => sendsRight(subject));
  describe("failures", () => failsRight(subject, vendor));
  describe("secrets", () => keepsSecrets(subject, vendor));
}
