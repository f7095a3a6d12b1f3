/**
 * /admin/v1/routes: the current state of each route of each model in the answering process: its circuit breaker, its queue, its space.
 */
import { type Static, Type } from "@sinclair/typebox";
import type { Route, Target } from "../../domain/request";
import { ROUTE_STATE_EXAMPLE, RouteState, routeStates } from "../../routes/states";
import type { RouteRecord } from "../../spaces/records";
import { csv } from "../../terminal/csv";
import { type AdminPath, adminPath, type Named, NO_BODY } from "./admin-path";
import type { AdminParts } from "./parts";
import { Count, closed, iso, OrNull, Time } from "./values";

const RouteNow = Type.Composite(
  [
    RouteState,
    Type.Object({
      place: Count("Its group: the routes of a later one serve when those before cannot."),
      circuit: Type.Union([Type.Literal("closed"), Type.Literal("open"), Type.Literal("half_open")]),
      circuit_open_for_ms: Count("Until the next call tests it."),
      rests_for_ms: Count("The provider asked to wait (429, retry-after): so long it is not called."),
      inputs_in_flight: Count("Inputs of this model that wait for a place or were sent."),
      calls_in_flight: Count("Calls in flight to the provider, for all its models."),
      places: Count("Calls that the provider is sent at a time (`concurrency`)."),
      queue_interactive: Count("Calls of up to 8 inputs that wait for a place at the provider."),
      queue_bulk: Count("Larger ones."),
      verdict: Type.Union([Type.Literal("agrees"), Type.Literal("differs"), Type.Literal("unmeasured")], {
        description: "The result of the last measurement of its vectors.",
      }),
      cosine: OrNull(
        Type.Number({ description: "The least over the probe texts, with the space's reference vectors." }),
      ),
      measured_at: OrNull(Time("When.")),
      timeout_ms: Count("Timeout of one call."),
    }),
  ],
  closed,
);
type RouteNow = Static<typeof RouteNow>;

const ROUTE: RouteNow = {
  ...ROUTE_STATE_EXAMPLE,
  place: 0,
  circuit: "open",
  circuit_open_for_ms: 3_200,
  rests_for_ms: 0,
  inputs_in_flight: 0,
  calls_in_flight: 0,
  places: 64,
  queue_interactive: 0,
  queue_bulk: 0,
  verdict: "agrees",
  cosine: 0.99998,
  measured_at: "2026-11-28T02:00:00.000Z",
  timeout_ms: 30_000,
};

const RouteList = {
  name: "AdminRoutes",
  schema: Type.Object({ routes: Type.Array(RouteNow) }, { examples: [{ routes: [ROUTE] }] }),
} satisfies Named;

/** The routes in the order of `routeStates`. */
export async function routesNow(parts: AdminParts): Promise<RouteNow[]> {
  const { outside, notices, records } = parts;
  const routes = parts.routes().named();
  const targets = routes.flatMap((route) => route.targets.map((target) => ({ route, target })));
  const spaces = [...new Set(routes.map(({ space }) => space))];
  const measured = new Map(
    await Promise.all(spaces.map(async (space) => [space, await records.of(space)] as const)),
  );
  return routeStates(routes, notices(), outside).map((state, i) => {
    const at = targets[i];
    return {
      ...state,
      ...detailsOf(at?.route, at?.target, measured.get(state.space) ?? [], outside.monotonic()),
    };
  });
}

function detailsOf(
  route: Route | undefined,
  target: Target | undefined,
  measured: readonly RouteRecord[],
  now: number,
): Omit<RouteNow, keyof RouteState> {
  const health = target?.provider.healthOf(target.model);
  const gate = target?.provider.gate;
  const record = measured.find(
    ({ provider, model, claimed }) =>
      provider === target?.provider.name && model === target.model && claimed === route?.space,
  );
  const openFor = health?.breaker.openForMs() ?? 0;
  const isClosed = health?.breaker.isClosed() ?? true;
  return {
    place: target?.group ?? 0,
    circuit: isClosed
      ? "closed"
      : health?.breaker.trial() === undefined && openFor > 0
        ? "open"
        : "half_open",
    circuit_open_for_ms: Math.ceil(openFor),
    rests_for_ms: Math.max(0, Math.ceil((health?.restsUntil ?? 0) - now)),
    inputs_in_flight: health?.inputsUnderWay ?? 0,
    calls_in_flight: gate?.inside() ?? 0,
    places: gate?.places ?? 0,
    queue_interactive: gate?.waiting("interactive") ?? 0,
    queue_bulk: gate?.waiting("bulk") ?? 0,
    verdict: record === undefined ? "unmeasured" : record.serves ? "agrees" : "differs",
    cosine: record?.cosine ?? null,
    measured_at: record === undefined ? null : iso(record.measuredAt),
    timeout_ms: target?.provider.timeoutMs ?? 0,
  };
}

export const ROUTE_PATHS: readonly AdminPath[] = [
  adminPath({
    method: "GET",
    path: "/routes",
    operationId: "adminListRoutes",
    summary: "How each route is doing now, in the process that answers",
    query: {},
    request: NO_BODY,
    answer: RouteList,
    csv: ({ routes }) =>
      csv(
        Object.keys(RouteNow.properties),
        routes.map(({ last_error, ...route }) => ({
          ...route,
          held_back_because: route.held_back_because ?? "",
          cosine: route.cosine ?? "",
          measured_at: route.measured_at ?? "",
          last_error: last_error === null ? "" : `${last_error.at} ${last_error.message}`,
        })),
      ),
    work: async (_, parts) => ({ routes: await routesNow(parts) }),
  }),
];

export type AdminRoutes = Static<typeof RouteList.schema>;

export const ROUTE_SCHEMAS: readonly Named[] = [RouteList];
