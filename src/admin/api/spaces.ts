/**
 * /admin/v1/spaces: the measured embedding spaces, the similarity of their routes, and which spaces are close; the same as `embedgate spaces`.
 */
import { type Static, Type } from "@sinclair/typebox";
import { GatewayError } from "../../domain/errors";
import type { Fingerprint } from "../../domain/fingerprint";
import type { RouteRecord } from "../../spaces/records";
import { type AdminPath, adminPath, type Named, NO_BODY } from "./admin-path";
import { neighboursOf } from "./neighbours";
import type { AdminParts } from "./parts";
import { Count, iso, OrNull, Time } from "./values";

const Space = Type.Object({
  space: Type.String(),
  dimensions: Count("Dimensions of its vectors."),
  provider: Type.String({ description: "The provider that was measured first." }),
  model: Type.String({ description: "Its name there." }),
  measured_at: Time("When."),
  confirmed: Type.Boolean({ description: "false: no other route of the model has agreed yet." }),
  source: Type.Union([Type.Literal("database"), Type.Literal("carried"), Type.Literal("inside")], {
    description: "carried: of the routing file's space_fingerprints. inside: of the model inside.",
  }),
});

const SPACE: Static<typeof Space> = {
  space: "text-embedding-3-small",
  dimensions: 1536,
  provider: "openai",
  model: "text-embedding-3-small",
  measured_at: "2026-11-28T09:00:00.000Z",
  confirmed: true,
  source: "database",
};

export const Neighbours = Type.Array(
  Type.Object({
    space: Type.String(),
    cosine: Type.Number({ description: "The mean over the probe texts, between the two spaces' vectors." }),
    cosine_min: Type.Number({ description: "The least of them." }),
  }),
  {
    description:
      "Measured spaces of the same size, the nearest first. Below about 0.99 they are not one space, and vectors of the two must not be mixed.",
  },
);

const Measured = Type.Object({
  provider: Type.String(),
  model: Type.String({ description: "Its name there." }),
  claimed: Type.String({ description: "Its embedding space in the routing file." }),
  space: Type.String({ description: "The one that it was compared with." }),
  serves: Type.Boolean(),
  cosine: Type.Number({ description: "The least over the probe texts." }),
  cosines: Type.Record(Type.String(), Type.Number(), { description: "By kind of probe text." }),
  says: Type.String({ description: "The probable difference." }),
  measured_at: Time("When."),
});

const SpaceList = {
  name: "AdminSpaces",
  schema: Type.Object({ spaces: Type.Array(Space) }, { examples: [{ spaces: [SPACE] }] }),
} satisfies Named;

const OneSpace = {
  name: "AdminSpace",
  schema: Type.Object(
    { space: OrNull(Space), routes: Type.Array(Measured), neighbours: Neighbours },
    { examples: [{ space: SPACE, routes: [], neighbours: [] }] },
  ),
} satisfies Named;

const Forgotten = {
  name: "AdminForgottenSpace",
  schema: Type.Object(
    {
      space: Type.String(),
      forgotten: Type.Boolean({ description: "false: there was none in the database." }),
    },
    { examples: [{ space: "text-embedding-3-small", forgotten: true }] },
  ),
} satisfies Named;

const told = (fingerprint: Fingerprint): Static<typeof Space> => ({
  space: fingerprint.space,
  dimensions: fingerprint.dimensions,
  provider: fingerprint.provider,
  model: fingerprint.model,
  measured_at: iso(fingerprint.measuredAt),
  confirmed: fingerprint.confirmed,
  source: fingerprint.source ?? "database",
});

const toldRoute = ({ claim: _, measuredAt, ...record }: RouteRecord): Static<typeof Measured> => ({
  ...record,
  measured_at: iso(measuredAt),
});

async function shown(
  name: string,
  { fingerprints, records }: AdminParts,
): Promise<Static<typeof OneSpace.schema>> {
  const own = fingerprints().find(name);
  const routes = await records.of(name);
  if (own === undefined && routes.length === 0)
    throw new GatewayError(
      "unknown_resource",
      `There is no measured embedding space '${name.slice(0, 200)}'.`,
      { field: "space" },
    );
  return {
    space: own ? told(own) : null,
    routes: routes.map(toldRoute),
    neighbours: own ? neighboursOf(own, fingerprints().list()) : [],
  };
}

export const SPACE_PATHS: readonly AdminPath[] = [
  adminPath({
    method: "GET",
    path: "/spaces",
    operationId: "adminListSpaces",
    summary: "List the embedding spaces that were measured",
    query: {},
    request: NO_BODY,
    answer: SpaceList,
    work: (_, { fingerprints }) => ({ spaces: fingerprints().list().map(told) }),
  }),
  adminPath({
    method: "GET",
    path: "/spaces/{space}",
    operationId: "adminShowSpace",
    summary: "One space, with its routes and the spaces near it",
    query: {},
    request: NO_BODY,
    answer: OneSpace,
    work: ({ param }, parts) => shown(param("space"), parts),
  }),
  adminPath({
    method: "DELETE",
    path: "/spaces/{space}",
    operationId: "adminForgetSpace",
    summary: "Forget a space's reference vectors: the next measurement becomes the reference",
    description:
      "For a model that was changed on purpose. Vectors that were stored before may not be comparable with new ones. It takes effect at the next reload or start.",
    query: {},
    request: NO_BODY,
    answer: Forgotten,
    async work({ param, operator }, parts) {
      const space = param("space");
      return { space, forgotten: await parts.forgetSpace(space, operator.actor) };
    },
  }),
];

export const SPACE_SCHEMAS: readonly Named[] = [SpaceList, OneSpace, Forgotten];
