/**
 * The steps of a request: the only file that knows their order. Each step has its own file, named as it is here:
 * decode → route → admit → recall ( → plan → begin → execute → collect ) → result → settle → encode → printed.
 */

import type { Aside } from "../aside/aside";
import type { Ledger } from "../books/ledger";
import type { LedgerRow } from "../books/ledger-row";
import type { Settlements } from "../books/settlements";
import type { Cache } from "../cache/cache";
import type { RateLimits } from "../callers/rate-limits";
import type { WorkspaceRules, Workspaces } from "../callers/workspaces";
import type { Decoded } from "../dialects/wire";
import type { Ending } from "../domain/ending";
import { asGatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";
import type { Policies } from "../domain/policies";
import type { Caller, Embedded, EmbedRequest, Plan, Result, Route, Run } from "../domain/request";
import { withDefaultTask, withTask } from "../domain/tasks";
import type { RequestTrace } from "../domain/trace";
import { outOfService, withUnused } from "../execute/choose";
import { collect } from "../execute/collect";
import { execute } from "../execute/execute";
import type { Needs } from "../execute/work";
import type { Input } from "../plugin";
import { freeSlabs } from "../replies/slabs";
import { boundTo, type ForcedProvider, refuseForced } from "../routes/forced-provider";
import { endOfLifeHeader, type Lifecycle } from "../routes/lifecycle";
import type { Routes } from "../routes/route";
import { measuredAnew, refuseOtherSpace } from "../spaces/pin";
import type { Spaces } from "../spaces/spaces";
import { estimatedTokens } from "../tokens/count";
import type { Tokens } from "../tokens/tokens";
import { estimateOf, type Prices, type Progress, rowAnswered, rowUnderWay, settleFailure } from "./account";
import { admit } from "./admission";
import { knownOf, toTell } from "./failing";
import { forwardUnknown } from "./forwarding";
import { headersOf } from "./headers";
import { hold, holdExactly } from "./hold";
import { withLearnedLimit } from "./learned-limits";
import { named } from "./named";
import { isIndivisible, partOf, plan, withWholeCharacters } from "./plan";
import { type Body, printed } from "./printing";
import { type CacheUse, recall } from "./recall";
import { rememberedBy } from "./remembered";
import { bytesOf, resultOf } from "./result";
import { late, startRun } from "./run";
import { traced, tracedFailure } from "./traced";
import type { Unpriced } from "./unpriced";

export interface Arrival {
  readonly requestId: string;
  readonly caller: Caller;
  /** @throws GatewayError database_unavailable */
  readonly speech: () => Speech;
  /** Decodes a body of the path's wire. @throws GatewayError invalid */
  readonly decode: (body: unknown, policies: Policies) => Decoded;
  /** Reads and parses the body. @throws GatewayError */
  readonly body: () => Promise<unknown>;
  readonly cacheUse: CacheUse;
  /** The embedding space of the caller's other vectors (`X-Embedgate-Space`). */
  readonly pinnedSpace: string | undefined;
  /** Ends the request: its client has disconnected, the gateway is shutting down, or the deadline has passed. */
  readonly ending: Ending;
  /** Called before this throws, with what is known of the request, for its log line. */
  readonly failing: (known: Readonly<Record<string, unknown>>) => void;
  /** Set if the request is a line of a batch. */
  readonly line?: BatchLine | undefined;
  /** Left out: the request is not traced. */
  readonly trace?: RequestTrace | undefined;
}

export interface BatchLine {
  /** The batch whose reserve covers this line's possible cost. */
  readonly batch: string;
  /** Stores the answer durably before its row is settled, so that a crash does not lose what was paid for. */
  readonly keep: (result: Result, row: LedgerRow) => Promise<void>;
}

/** The workspace's policies, and the requirements of this request. */
export interface Speech {
  readonly policies: Policies;
  readonly forced: ForcedProvider | undefined;
}

export interface Answer {
  readonly body: string | Body;
  readonly headers: Readonly<Record<string, string>>;
}

export interface SpineParts {
  readonly routes: Routes;
  readonly spaces: Spaces;
  readonly tokens: Tokens;
  readonly aside: Aside;
  readonly cache: Cache;
  /** undefined: nothing is cached. */
  readonly caching: { readonly isShared: boolean } | undefined;
  readonly workspaces: Pick<Workspaces, "rules">;
  readonly rateLimits: RateLimits;
  readonly lifecycle: Lifecycle;
  readonly prices: Prices;
  readonly unpriced: Unpriced;
  readonly ledger: Ledger;
  readonly settlements: Settlements;
  readonly outside: Outside & Pick<Needs, "observe">;
  readonly deadlineMs: number;
  readonly attemptsMax: number;
}

/** A request that cannot even start must not keep its configuration open for ever. */
function begun<Started>(over: () => void, start: () => Started): Started {
  try {
    return start();
  } catch (thrown) {
    over();
    throw thrown;
  }
}

/**
 * Answers one embeddings request. Its ledger row is committed before this returns or throws.
 * @param over called at the end
 * @throws GatewayError of any kind
 */
export async function embed(arrival: Arrival, parts: SpineParts, over: () => void): Promise<Answer> {
  const { outside, routes, spaces, cache, caching, ledger, settlements, prices, rateLimits } = parts;
  let decoded: Decoded | undefined;
  const { run, finish } = begun(over, () =>
    startRun(arrival, parts, () => late(parts.deadlineMs, decoded !== undefined)),
  );
  const progress: Progress = { caller: arrival.caller, run };
  const latencyMs = () => outside.monotonic() - run.startedMonotonic;
  try {
    const { policies, forced } = arrival.speech();
    progress.policies = policies;
    const rules = parts.workspaces.rules(arrival.caller.workspace);
    const admitted = rateLimits.takeRequest(rules, run.signal);
    if (admitted) await admitted;
    decoded = arrival.decode(await arrival.body(), policies);
    const meant = routes.meant(decoded.request.model, decoded.otherNames, rules.models);
    progress.request =
      decoded.request.model === meant ? decoded.request : { ...decoded.request, model: meant };
    const asked = withTask(progress.request);
    refuseForced(forced, routes, rules.models, policies);
    const found = routes.resolve(asked.model, rules.models, decoded.unknownHint);
    const said = withDefaultTask(asked, found.facts);
    const request = policies.unknown_fields === "forward" ? forwardUnknown(said, found) : said;
    const bound = boundTo(forced, found);
    progress.route = bound;
    parts.unpriced.refuse(bound, rules);
    const route = withLearnedLimit(admit(request, bound, policies.unused_hints === "reject"));
    parts.lifecycle.used(route);
    const taken = rateLimits.takeTokens(rules, estimatedTokens(request.inputs), run.signal);
    const count = taken instanceof Promise ? await taken : taken;
    const size = request.dimensions ?? route.facts.dimensions;
    let place = spaces.placeOf(found);
    refuseOtherSpace(arrival.pinnedSpace, place.space, size);
    const together = isIndivisible(request, route);
    const whole =
      request.inputs.length > 1
        ? await withWholeCharacters(request, route.facts, parts.tokens, run.signal)
        : request;
    const mayServe = () => route.targets.some((target) => target.mayServe());
    const mayMeasure = () => rateLimits.mayMeasure(rules.name);
    let planned: Plan | undefined;
    const revision = spaces.revision(place.space);
    let driftedAt = spaces.driftedAt(place.space);
    const remembering = rememberedBy(whole, {
      route,
      measured: `${place.space}#${revision}`,
      forced: forced?.name,
      workspace: rules.name,
      use: arrival.cacheUse,
      isWhole: !together,
      caching,
      outside,
    });
    const remembered = remembering instanceof Promise ? await remembering : remembering;
    const recalled = await recall(
      remembered.keys,
      remembered.use,
      caching ? cache : cache.uncached,
      arrival.caller.workspace,
      run.signal,
      async (places) => {
        if (!mayServe() && !spaces.lookAgain(found)) throw outOfService(route.id);
        planned = await plan(whole, places, route, parts.tokens, run.signal);
        await begin(request, planned, route, rules, progress, parts);
        // The hold comes first: a model is measured only for callers who can pay.
        await spaces.ready(found, run.signal, mayMeasure, forced && bound.targets[0]);
        if (!mayServe()) throw outOfService(route.id);
        const measured = spaces.placeOf(found);
        const isAnew = revision !== "" && revision !== spaces.revision(place.space);
        const isElsewhere = measured.space !== place.space;
        if (isAnew || (isElsewhere && places.length < request.inputs.length)) throw measuredAnew(route.id);
        // The first measurement gave the model its own embedding space: nothing of this answer may be cached under the other space's name.
        if (isElsewhere) remembered.use.keep = false;
        place = measured;
        driftedAt = spaces.driftedAt(place.space);
        refuseOtherSpace(arrival.pinnedSpace, place.space, size);
      },
      (places, take) =>
        planned ? embedNow(request, route, partOf(planned, places), run, take, outside) : Promise.resolve(),
    );
    // A route drifted meanwhile: these vectors may be of either model.
    if (driftedAt !== spaces.driftedAt(place.space)) throw measuredAnew(route.id);
    const result = resultOf(recalled, request);
    progress.result = result;
    refuseOtherSpace(arrival.pinnedSpace, place.space, result.vectors[0]?.length);
    count(result.tokens);
    const row = rowAnswered(progress, result, prices, latencyMs());
    // Only cache hits: nothing was held for them yet.
    if (!planned && row.cost_femto_credits > 0n)
      await holdExactly(row, rules.terms, ledger, settlements, run);
    if (arrival.line) await arrival.line.keep(result, row);
    const charge = await ledger.settle(row, run.endsAt);
    spaces.answered(found, run.tally.providers, mayMeasure);
    run.trace?.ended(traced(row, request, result));
    const credits = { used: charge.microCredits, remaining: charge.remaining };
    const tookMs = latencyMs();
    const script = decoded.encode({ ...result, credits }, run.requestId, tookMs);
    return {
      body: printed(script, parts.aside, bytesOf(result), undefined, () => freeSlabs(result.vectors)),
      headers: Object.assign(
        headersOf(decoded, route, request, result, {
          place,
          providers: policies.provider_names === "hide" ? undefined : run.tally.providers,
          cacheUse: caching && remembered.use,
        }),
        decoded.headers?.(result, run.requestId, tookMs),
        endOfLifeHeader(route.facts, outside.now()),
        rateLimits.headers(rules),
      ),
    };
  } catch (thrown) {
    const error = asGatewayError(thrown);
    arrival.failing(knownOf(progress, error));
    const told = await settleFailure(progress, named(toTell(error, progress), decoded), latencyMs, parts);
    run.trace?.ended(tracedFailure(progress, told));
    throw told;
  } finally {
    finish();
    over();
  }
}

/** Begins the request's row with a hold for all inputs that are not cached, as if no other request were fetching any of them. */
function begin(
  request: EmbedRequest,
  { pieces }: Plan,
  route: Route,
  { terms }: WorkspaceRules,
  progress: Progress,
  { ledger, settlements, prices }: SpineParts,
): Promise<void> {
  const fresh = pieces.map(({ input }) => input);
  const hits = hitsOf(request.inputs, pieces);
  const estimate = estimateOf({ fresh, hits }, route, prices);
  const { run } = progress;
  return hold(
    rowUnderWay(progress, fresh),
    { estimate, terms, reserve: run.batch },
    ledger,
    settlements,
    run,
  );
}

/** The inputs that are not in the plan. */
function hitsOf(inputs: readonly Input[], pieces: Plan["pieces"]): readonly Input[] {
  const isWhole = pieces.length === inputs.length && pieces.every(({ place }, i) => place === i);
  if (isWhole) return NO_INPUTS;
  const missing = new Set(pieces.map(({ place }) => place));
  return inputs.filter((_, place) => !missing.has(place));
}

const NO_INPUTS: readonly Input[] = [];

/** The steps for the inputs that need a provider call. */
async function embedNow(
  request: EmbedRequest,
  route: Route,
  planned: Plan,
  run: Run,
  take: (embedded: ReadonlyMap<number, Embedded>) => void,
  outside: SpineParts["outside"],
): Promise<void> {
  const collection = collect(planned);
  try {
    await execute(request, route, planned, run, outside, (answered) =>
      collection.add(answered, take, outside),
    );
  } catch (thrown) {
    throw withUnused(asGatewayError(thrown), route);
  }
  collection.assertComplete();
}
