/** The sums that usage and series both have. To add a sum to both, add a member here; to only one of them, add it there. */
import { Count, Credits, Usd } from "./values";

export const SUMS = {
  requests: Count("Requests of callers."),
  failed: Count("Those that were not answered 200."),
  inputs: Count("Texts, or arrays of tokens."),
  cache_hits: Count("Inputs answered without a call to a provider."),
  tokens: Count("What answers said."),
  tokens_upstream: Count("What providers counted."),
  tokens_billed: Count("What is charged for."),
  estimated: Count("Requests whose count is an estimate."),
  cost_usd: Usd("What they cost."),
  credits: Credits("What was charged."),
  upstream_usd: Usd("What providers are owed."),
};
