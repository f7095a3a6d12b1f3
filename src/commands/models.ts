/**
 * `embedgate models`: a row for each route of each model, with its facts merged from the catalogue and the routing file, and the route's state
 * if a running gateway reports it (GET /admin/routes).
 */
import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import type { ConfiguredModel, GatewayConfig } from "../config/gateway-config";
import type { ModelFacts } from "../domain/facts";
import { realOutside } from "../network/real-outside";
import { canFindGateways, presentAt } from "../processes/presence";
import { buildRoutes } from "../routes/route";
import { RouteState } from "../routes/states";
import { configured } from "../serving/configured";
import { printTable } from "../terminal/screen";
import { type OpenedProviders, openProviders } from "../upstream/open";
import { json } from "./json";
import { addressOf, askAdmin } from "./running";

interface ModelsOptions {
  readonly config?: string;
  readonly url?: string;
  readonly key?: string;
  readonly json?: boolean;
}

interface Row {
  readonly id: string;
  /** Null for an alias, and for a model that cannot embed. */
  readonly provider: string | null;
  readonly upstream_model: string | null;
  readonly space: string | null;
  /** Null if routes are tried in order. */
  readonly weight: number | null;
  /** `unknown` if no gateway reported it, `not_configured` if variables are not set. */
  readonly state: RouteState["state"] | "unknown" | "not_configured" | "alias" | "cannot_embed";
  readonly last_error: RouteState["last_error"];
  /** Details: the variables that are not set, why the route is out of service, or the model behind an alias. */
  readonly note: string | null;
  readonly facts: ModelFacts | undefined;
}

export async function listModels(options: ModelsOptions): Promise<number> {
  const config = await configured(options.config, { notes: false });
  if (!config) return 1;
  const states = await statesOf(config, options);
  if (typeof states === "string" && !options.json)
    console.error(`note: the state of routes is unknown: ${states}`);
  const providers = openProviders(config, realOutside);
  const rows = rowsOf(config, providers, typeof states === "string" ? [] : states);
  await providers.close();
  if (options.json) console.log(json(rows.map(({ facts, ...row }) => ({ ...row, ...facts }))));
  else
    printTable([
      ["MODEL", "PROVIDER", "AS", "SPACE", "WEIGHT", "DIMENSIONS", "TOKENS", "USD/1M", "STATE", "LAST ERROR"],
      ...rows.map((row) => [
        row.id,
        row.provider ?? "",
        row.upstream_model ?? "",
        row.space ?? "",
        { right: row.weight === null ? "" : String(row.weight) },
        { right: String(row.facts?.dimensions ?? "") },
        { right: String(row.facts?.max_input_tokens ?? "") },
        { right: String(row.facts?.price ?? "") },
        `${row.state.replaceAll("_", " ")}${row.note === null ? "" : `: ${row.note}`}`,
        row.last_error === null ? "" : `${row.last_error.at.slice(0, 19)}Z ${row.last_error.message}`,
      ]),
    ]);
  return 0;
}

function rowsOf(
  config: GatewayConfig,
  providers: OpenedProviders,
  states: readonly RouteState[],
): readonly Row[] {
  const routes = new Map(
    buildRoutes(config, providers.byName, {
      mayServe: () => true,
      placeOf: ({ space }) => ({ space, isVerified: true }),
    })
      .named()
      .map((route) => [route.id, route]),
  );
  const nothing = { provider: null, upstream_model: null, space: null, weight: null, last_error: null };
  return [...config.models.values()].flatMap((model: ConfiguredModel): Row[] => {
    const { id, alias_of } = model;
    if (alias_of !== undefined)
      return [{ ...nothing, id, state: "alias", note: `of ${alias_of}`, facts: undefined }];
    if (!model.embeddings) return [{ ...nothing, id, state: "cannot_embed", note: null, facts: undefined }];
    const route = routes.get(id);
    return model.routes.map((entry): Row => {
      const missing = config.providers.get(entry.provider)?.missing_variables ?? [];
      const target = route?.targets.find(
        (one) => one.provider.name === entry.provider && one.model === entry.model,
      );
      const seen = states.find(
        (one) => one.model === id && one.provider === entry.provider && one.upstream_model === entry.model,
      );
      return {
        id,
        provider: entry.provider,
        upstream_model: entry.model,
        space: route?.space ?? model.space ?? entry.space ?? null,
        weight: entry.weight ?? null,
        state: missing.length > 0 ? "not_configured" : (seen?.state ?? "unknown"),
        last_error: seen?.last_error ?? null,
        note: missing.length > 0 ? `${missing.join(", ")} not set` : (seen?.held_back_because ?? null),
        facts: target?.facts,
      };
    });
  });
}

const Answer = Type.Object({ routes: Type.Array(RouteState) });

/** @returns a message if no gateway reports it */
async function statesOf(
  { server, database }: GatewayConfig,
  options: ModelsOptions,
): Promise<readonly RouteState[] | string> {
  if (options.url === undefined && canFindGateways() && presentAt(database.path).length === 0)
    return `no gateway is running on the database ${database.path}`;
  const told = await askAdmin(realOutside, addressOf(server, options.url), "/admin/routes", options.key);
  return told.ok ? Value.Parse(Answer, told.body).routes : told.reason;
}
