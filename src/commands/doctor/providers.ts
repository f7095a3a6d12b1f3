/** Keys and calls: whether each provider has its variables and answers one real call, and whether this machine's clock agrees with their answers. */
import type { GatewayConfig } from "../../config/gateway-config";
import type { Outside } from "../../domain/outside";
import { isLoopback } from "../../domain/this-machine";
import type { Asked } from "../check-online";
import { type Finding, fine, note, withConfig, wrong } from "./finding";

export function variables({ providers, file }: GatewayConfig): readonly Finding[] {
  const lacking = [...providers.values()].filter(({ missing_variables }) => missing_variables.length > 0);
  if (lacking.length === 0) return [fine("keys", "every variable that the routing file names is set")];
  return lacking.map(({ name, missing_variables }) =>
    note(
      "keys",
      `provider ${name}: ${missing_variables.join(", ")} not set in this shell, so its models were not asked here`,
      `export ${missing_variables[0]}=…; embedgate doctor${withConfig(file)} (a systemd service reads them from /etc/embedgate/environment)`,
    ),
  );
}

export function calls(asked: readonly Asked[], { file }: GatewayConfig): readonly Finding[] {
  return asked.map(({ model, provider, latency_ms, dimensions, error }) =>
    error === null
      ? fine(
          "call",
          `${provider} answered for ${model} in ${latency_ms.toFixed(0)} ms: ${dimensions} dimensions`,
        )
      : wrong(
          "call",
          `${provider} failed for ${model}: ${error}`,
          `correct provider '${provider}' in the routing file, then: embedgate check --online${withConfig(file)}`,
        ),
  );
}

/** A server's clock, and ours before the call and after the answer, in ms since 1970. */
export interface DateSeen {
  readonly host: string;
  readonly sent: number;
  readonly answered: number;
  readonly theirs: number;
}

/** @param seen gets an entry for each answer that has a date; servers on this machine share its clock */
export function watchingDates(outside: Outside, seen: DateSeen[]): Outside {
  const fetch: Outside["fetch"] = async (url, init) => {
    const sent = outside.now();
    const answer = await outside.fetch(url, init);
    const { hostname } = new URL(url);
    const theirs = Date.parse(answer.headers.get("date") ?? "");
    if (!Number.isNaN(theirs) && !isLoopback(hostname))
      seen.push({ host: hostname, sent, answered: outside.now(), theirs });
    return answer;
  };
  return { ...outside, fetch };
}

/** A date has whole seconds. */
const DATE_STEP_MS = 1_000;
const OFF_MS_NOTE = 30_000;
/** Signed requests (AWS Signature Version 4) and tokens are refused from about this difference on. */
const OFF_MS_WRONG = 240_000;

/** How far at least this clock is ahead (positive) or behind; 0 if a date is not precise enough to tell. */
export function aheadMs({ sent, answered, theirs }: DateSeen): number {
  if (theirs + DATE_STEP_MS < sent) return sent - theirs - DATE_STEP_MS;
  if (theirs > answered) return answered - theirs;
  return 0;
}

export function clock(seen: readonly DateSeen[]): Finding {
  const offs = seen.map(aheadMs).toSorted((a, b) => a - b);
  // The median, because a single server's clock may itself be wrong.
  const off = offs[Math.floor(offs.length / 2)];
  if (off === undefined)
    return note("clock", "no provider on another machine answered with a date: not compared");
  const says = `this clock is ${Math.abs(off / 1000).toFixed(0)} s ${off < 0 ? "behind" : "ahead of"} the providers' (${[...new Set(seen.map(({ host }) => host))].join(", ")})`;
  const mend = "timedatectl set-ntp true";
  if (Math.abs(off) >= OFF_MS_WRONG)
    return wrong("clock", `${says}: signed requests and tokens are refused`, mend);
  if (Math.abs(off) >= OFF_MS_NOTE) return note("clock", says, mend);
  return fine("clock", `agrees with the providers' (${seen.length} answers)`);
}
