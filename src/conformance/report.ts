/**
 * Runs the suite for a person who reads the report: each check's outcome as text, without exceptions.
 * The command decides on exit code and output.
 */
import type { Outside } from "../domain/outside";
import { type Check, titleOf } from "./bench";
import { Breach } from "./breach";
import { callFor, openPlugin, type Subject } from "./subject";
import { suiteFor } from "./suite";

export interface Outcome {
  readonly section: string;
  readonly check: string;
  readonly outcome: "right" | "wrong" | "skipped";
  /** What is wrong, or why it was not tried. */
  readonly why: string;
}

/** No check of a plugin that obeys its signals takes this long. */
const CHECK_MS_MAX = 60_000;

/**
 * @param outside its network is not used: the subject's `vendor` is
 * @param tell called with each outcome as it comes
 */
export async function report(
  subject: Subject,
  outside: Outside,
  tell: (outcome: Outcome) => void,
): Promise<void> {
  const silence = await silenceOf(subject, outside);
  if (silence !== undefined)
    tell({ section: "the upstream", check: "it answers one text", outcome: "wrong", why: silence });
  for (const { name: section, checks } of suiteFor(subject, () => outside)) {
    for (const check of checks) {
      const skipped =
        check.skipped ?? (check.asks && silence !== undefined ? "the upstream does not answer" : undefined);
      const judged =
        skipped === undefined ? await judge(check, outside) : ({ outcome: "skipped", why: skipped } as const);
      tell({ section, check: titleOf(check), ...judged });
    }
  }
}

async function judge(check: Check, outside: Outside): Promise<Pick<Outcome, "outcome" | "why">> {
  try {
    const why = await inTime(async () => (await check.run()) ?? undefined, outside);
    return why === undefined ? { outcome: "right", why: "" } : { outcome: "skipped", why };
  } catch (thrown) {
    return { outcome: "wrong", why: wordsOf(thrown) };
  }
}

/** Why the upstream returns no vectors at all: reported once, not by every check that needs some. */
async function silenceOf(subject: Subject, outside: Outside): Promise<string | undefined> {
  try {
    await inTime(() => openPlugin(subject, outside).upstream.embed(callFor(subject, ["a text"])), outside);
    return undefined;
  } catch (thrown) {
    return wordsOf(thrown);
  }
}

async function inTime<Value>(work: () => Promise<Value>, outside: Outside): Promise<Value> {
  const over = new AbortController();
  const late = outside.sleep(CHECK_MS_MAX, over.signal).then(() => {
    throw new Error(`The check did not end within ${CHECK_MS_MAX / 1000} seconds.`);
  });
  try {
    return await Promise.race([work(), late]);
  } finally {
    // Nobody handles its rejection then.
    late.catch(() => undefined);
    over.abort();
  }
}

function wordsOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return `It threw ${String(thrown)}, which is not an Error.`;
  // If a recording has no answer, the plugin gets a broken connection.
  if (thrown.cause instanceof Breach) return thrown.cause.message;
  if ("kind" in thrown) return `${String(thrown.kind)}: ${thrown.message}`;
  // The engine quotes the whole call, including source: "host.pots is not a function. (In 'host.pots({ … })', …)".
  const [withoutSource = ""] = thrown.message.split("(In '", 1);
  const [words = ""] = withoutSource.split("(evaluating '", 1);
  return words.trimEnd();
}
