/**
 * The calls of a line for its provider's batch service: the calls that the line would make itself, by the steps of src/request/embed.ts. When
 * their replies have arrived, the line runs through the same steps, with the replies in place of its calls (`replayed` in way.ts). If the
 * routing file has changed meanwhile, the ids of the calls differ, so that no reply is used for another call.
 */
import type { WorkspaceRules } from "../callers/workspaces";
import { decodeEmbeddings } from "../dialects/openai-embeddings";
import type { Policies } from "../domain/policies";
import type { Route } from "../domain/request";
import { withDefaultTask, withTask } from "../domain/tasks";
import { callFor } from "../execute/call";
import { carve } from "../execute/carve";
import type { BatchCall, Input } from "../plugin";
import { admit } from "../request/admission";
import { forwardUnknown } from "../request/forwarding";
import { isIndivisible, plan, withWholeCharacters } from "../request/plan";
import type { Routes } from "../routes/route";
import type { Tokens } from "../tokens/tokens";
import type { RequestLine } from "./input";
import { replayed, type UpstreamWay, upstreamWay } from "./way";

export interface Preparing {
  readonly routes: () => Routes;
  readonly tokens: Tokens;
  readonly rules: (workspace: string) => WorkspaceRules;
}

/** The route of a line's model; undefined if the line names no model that its workspace may use. */
function routeOf(
  { body: { model } }: RequestLine,
  routes: Routes,
  { models }: WorkspaceRules,
): Route | undefined {
  if (typeof model !== "string") return undefined;
  try {
    return routes.resolve(routes.meant(model, [], models), models);
  } catch {
    return undefined;
  }
}

/** The batch service that a line goes to; undefined: none, or its model is unknown. */
export function wayOf(line: RequestLine, routes: Routes, rules: WorkspaceRules): UpstreamWay | undefined {
  const route = routeOf(line, routes, rules);
  return route && upstreamWay(route);
}

/** The batch service that a line was sent to, whatever the routing file says about batches now; undefined if it was another line. */
export function wayTo(
  { provider, model }: { readonly provider: string; readonly model: string },
  line: RequestLine,
  routes: Routes,
  rules: WorkspaceRules,
): UpstreamWay | undefined {
  const route = routeOf(line, routes, rules);
  const target = route?.targets.find((one) => one.provider.name === provider && one.model === model);
  const service = target?.provider.upstream.batches;
  return target && service && { target, service };
}

export interface Prepared {
  readonly calls: readonly BatchCall[];
  /** A hash of their fields other than inputs. */
  readonly words: string;
}

/** @throws GatewayError that is the line's answer */
export async function prepare(
  one: RequestLine,
  way: UpstreamWay,
  policies: Policies,
  rules: WorkspaceRules,
  { routes: current, tokens }: Preparing,
): Promise<Prepared> {
  const routes = current();
  const { request: decoded } = decodeEmbeddings(one.body, policies);
  const asked = withTask({ ...decoded, model: routes.meant(decoded.model, [], rules.models) });
  const found = replayed(routes.resolve(asked.model, rules.models), way, way.target.provider.upstream.embed);
  const said = withDefaultTask(asked, found.facts);
  const request = policies.unknown_fields === "forward" ? forwardUnknown(said, found) : said;
  const route = admit(request, found, policies.unused_hints === "reject");
  const [target] = route.targets;
  const whole = await withWholeCharacters(request, route.facts, tokens);
  const planned = await plan(whole, firstPlaces(whole.inputs), route, tokens);
  const parts = isIndivisible(request, route)
    ? [{ pieces: planned.pieces }]
    : carve(planned.pieces, target.facts);
  const words = callFor({ request, plan: planned }, target);
  const hash = hashOf(JSON.stringify(words));
  const calls = parts.map(({ pieces }, part): BatchCall => {
    const call = { ...words, inputs: pieces.map(({ input }) => input), signal: NEVER };
    way.service.check?.(call);
    const said = JSON.stringify(call.inputs.map((input) => (typeof input === "string" ? input : [...input])));
    return { id: `${one.line}.${part}.${hashOf(hash + said)}`, call };
  });
  return { calls, words: hash };
}

const NEVER = new AbortController().signal;

/** The first place of each distinct input, as a line asks for equal inputs once. */
function firstPlaces(inputs: readonly Input[]): readonly number[] {
  const seen = new Set<string>();
  const places: number[] = [];
  for (const [place, input] of inputs.entries()) {
    const key = typeof input === "string" ? `t${input}` : `i${input.join()}`;
    if (seen.has(key)) continue;
    seen.add(key);
    places.push(place);
  }
  return places;
}

const HASH_DIGITS = 16;

const hashOf = (text: string) =>
  new Bun.CryptoHasher("sha256").update(text).digest("hex").slice(0, HASH_DIGITS);
