/** A workspace that pays, over HTTP, and its ledger: for tests about money. */
import { Database } from "bun:sqlite";
import { join } from "node:path";
import { FAKE_YAML, type OpenGateway, openGateway } from "../gateway";

/** One token per word here, and two words cost two micro-credits. */
export const YAML = `${FAKE_YAML}
  one: { routes: [ { provider: fake, model: fake } ], price: 1 }
  other: { routes: [ { provider: fake, model: fake } ], price: 1 }
`;

export interface Ready {
  readonly open: OpenGateway;
  readonly headers: { readonly authorization: string };
}

export async function workspaceWith(
  microCredits: bigint | null,
  { yaml = YAML, settings = {} }: { yaml?: string; settings?: Parameters<Gateways["set"]>[1] } = {},
): Promise<Ready> {
  const open = await openGateway({ readsFile: true, yaml });
  await open.gateway.workspaces.create("team", settings, microCredits);
  const { key } = await open.gateway.keys.create("ci", "team");
  return { open, headers: { authorization: `Bearer ${key}` } };
}
export type Gateways = OpenGateway["gateway"]["workspaces"];

export const codeOf = ({ json }: { readonly json: unknown }) => Object(json).error?.code;

export function sums(open: OpenGateway): { taken: bigint; granted: bigint; held: bigint; short: bigint } {
  const database = new Database(join(open.folder, "data/embedgate.db"), {
    readonly: true,
    safeIntegers: true,
  });
  const row = database
    .query<{ taken: bigint; granted: bigint; held: bigint; short: bigint }, []>(
      `SELECT (SELECT coalesce(sum(micro_credits), 0) FROM ledger) AS taken,
         (SELECT coalesce(sum(micro_credits_short), 0) FROM ledger) AS short,
         (SELECT coalesce(sum(micro_credits), 0) FROM credit_grants) AS granted,
         (SELECT coalesce(sum(micro_credits_held), 0) + coalesce(sum(pico_usd_held), 0) FROM workspaces)
           + (SELECT coalesce(sum(micro_credits_held), 0) FROM ledger) AS held`,
    )
    .get();
  database.close();
  return row ?? { taken: 0n, granted: 0n, held: 0n, short: 0n };
}
