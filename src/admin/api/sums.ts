/** The sums that usage and series both have. To add a sum to both, add a member here; to only one of them, add it there. */
import { Count, Credits, Usd } from "./values";

export const SUMS = {
  requests: Count("Requests of clients."),
  failed: Count("Requests not answered with status 200."),
  inputs: Count("Texts or arrays of token ids."),
  cache_hits: Count("Inputs answered without a call to a provider."),
  tokens: Count("Tokens in the usage of answers."),
  tokens_upstream: Count("Tokens that providers counted."),
  tokens_billed: Count("Tokens that are charged for."),
  estimated: Count("Requests whose token count is an estimate."),
  cost_usd: Usd("The cost of the requests."),
  credits: Credits("The credits charged."),
  upstream_usd: Usd("The amount owed to providers."),
};
