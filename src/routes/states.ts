/**
 * The state of each route of each model, for the operator: its circuit breaker, its rate limit at the provider, whether its
 * vectors are known to be in the model's embedding space. For one process: others have their own circuit breakers. A new state is one of STATES.
 */
import { type Static, Type } from "@sinclair/typebox";
import type { Outside } from "../domain/outside";
import type { Route, Target } from "../domain/request";

const STATES = Type.Union(
  [
    Type.Literal("serving"),
    Type.Literal("open"),
    Type.Literal("half_open"),
    Type.Literal("rate_limited"),
    Type.Literal("held_back"),
  ],
  {
    description:
      "serving: it takes requests. open, half_open: its circuit breaker. rate_limited: the provider asked to wait. held_back: its vectors are not measured to be in the model's embedding space.",
  },
);

export const RouteState = Type.Object({
  model: Type.String(),
  provider: Type.String({ description: "Its name in the routing file." }),
  upstream_model: Type.String({ description: "The model's name at the provider." }),
  space: Type.String({ description: "The model's embedding space." }),
  weight: Type.Number(),
  state: STATES,
  // Missing in answers of an older gateway.
  held_back_because: Type.Union([Type.Null(), Type.String()], {
    default: null,
    description: "How its vectors differ, and what to do; null unless it is held back.",
  }),
  last_error: Type.Union([
    Type.Null(),
    Type.Object({
      at: Type.String({ description: "ISO 8601." }),
      kind: Type.String(),
      message: Type.String(),
    }),
  ]),
});
export type RouteState = Static<typeof RouteState>;

/** An example for the OpenAPI document. */
export const ROUTE_STATE_EXAMPLE: RouteState = {
  model: "docs",
  provider: "router",
  upstream_model: "openai/text-embedding-3-small",
  space: "text-embedding-3-small",
  weight: 1,
  state: "open",
  held_back_because: null,
  last_error: {
    at: "2026-11-28T03:12:09.120Z",
    kind: "unavailable",
    message: "The provider could not be reached, or the connection broke (ECONNREFUSED).",
  },
};

/** What is known about a route's vectors (src/spaces/notices.ts), by its names in the routing file. */
interface Notice {
  readonly space: string;
  readonly provider: string;
  readonly model: string;
  readonly message: string;
}

export const routeStates = (
  routes: readonly Route[],
  notices: readonly Notice[],
  outside: Pick<Outside, "monotonic">,
): readonly RouteState[] =>
  routes.flatMap(({ id, space, targets }) =>
    targets.map((target): RouteState => {
      const { provider, model, weight } = target;
      const { lastError } = provider.healthOf(model);
      const state = stateOf(target, outside.monotonic());
      const notice = notices.find(
        (one) => one.space === space && one.provider === provider.name && one.model === model,
      );
      return {
        model: id,
        provider: provider.name,
        upstream_model: model,
        space,
        weight,
        state,
        held_back_because: state === "held_back" ? (notice?.message ?? null) : null,
        last_error:
          lastError === undefined ? null : { ...lastError, at: new Date(lastError.at).toISOString() },
      };
    }),
  );

function stateOf({ provider, model, mayServe }: Target, now: number): RouteState["state"] {
  const { breaker, restsUntil } = provider.healthOf(model);
  if (!mayServe()) return "held_back";
  if (!breaker.isClosed())
    return breaker.trial() === undefined && breaker.openForMs() > 0 ? "open" : "half_open";
  return restsUntil > now ? "rate_limited" : "serving";
}
