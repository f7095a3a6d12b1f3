/** Flags of `requests`: single requests from the ledger. */
import { type Command, InvalidArgumentError } from "commander";
import type { Statuses } from "../../books/requests";
import { parseCount } from "../../terminal/amount";
import { config, duration, examples, json, later } from "./line";

/** 503, 4xx, 5xx, or failed: everything except 200. */
export function parseStatus(text: string): Statuses {
  if (text === "failed") return { from: 201, to: 999 };
  const [, digit, rest] = /^([1-9])(xx|\d\d)$/.exec(text) ?? [];
  if (digit === undefined || rest === undefined)
    throw new InvalidArgumentError("Expected a status such as 503, 4xx or 5xx, or failed.");
  const from = Number(digit + (rest === "xx" ? "00" : rest));
  return { from, to: rest === "xx" ? from + 99 : from };
}

export function requestsCommands(program: Command): void {
  const requests = examples(
    program.command("requests").description("show single requests from the ledger"),
    "embedgate requests list --status 5xx --since 1h",
    "embedgate requests show req_01a22242d8f05b80aec713656fd09bda",
  );
  examples(
    requests
      .command("list")
      .description("list requests, the latest first")
      .option("--status <status>", "only these: 503, 4xx, 5xx, or failed (all but 200)", parseStatus)
      .addOption(duration("--since <duration>", "how far back to look", "1h"))
      .option("--workspace <workspace>", "only of this workspace")
      .option("--model <model>", "only for this model id")
      .option("--provider <provider>", "only at this provider, by its name in the routing file")
      .option("--code <code>", "only with this error code, such as upstream_unavailable")
      .option("--limit <count>", "how many at most", parseCount, 50)
      .addOption(json())
      .addOption(config())
      .action(later(async () => (await import("../requests")).listRequests)),
    "embedgate requests list --status 5xx --since 1h",
    "embedgate requests list --workspace acme --status failed --since 24h --json",
  );
  examples(
    requests
      .command("show <id>")
      .description("show a request by the id in its x-request-id header, and why it failed")
      .addOption(json())
      .addOption(config())
      .action(later(async () => (await import("../requests")).showRequest)),
    "embedgate requests show req_01a22242d8f05b80aec713656fd09bda",
    "embedgate requests show req_01a22242d8f05b80aec713656fd09bda --json",
  );
}
