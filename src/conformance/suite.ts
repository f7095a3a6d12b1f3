/**
 * The one suite that judges every plugin, bundled or external, in tests and in `embedgate plugin test`.
 * A new promise of src/plugin.ts is tested in one of its sections; a plugin's own test has what is special about its API.
 */
import type { Outside } from "../domain/outside";
import { answersRight } from "./answers";
import { type Check, createBench } from "./bench";
import { failsRight } from "./failures";
import { keepsSecrets } from "./secrets";
import { keepsItsShape } from "./shape";
import type { Subject } from "./subject";
import { sendsRight } from "./wire";

export interface Section {
  readonly name: string;
  readonly checks: readonly Check[];
}

/**
 * @param subject its `vendor` makes most of the suite apply; a plugin without a network leaves it out
 * @param outside a world for each opening of the plugin; its network is not used
 */
export function suiteFor(subject: Subject, outside: () => Outside): readonly Section[] {
  const bench = createBench(subject, outside);
  const { vendor } = subject;
  const sections = [
    { name: "the contract", checks: keepsItsShape(bench) },
    { name: "answers", checks: answersRight(bench) },
  ];
  if (!vendor) return sections;
  return [
    ...sections,
    { name: "requests", checks: sendsRight(bench) },
    { name: "failures", checks: failsRight(bench, vendor) },
    { name: "secrets", checks: keepsSecrets(bench, vendor) },
  ];
}
