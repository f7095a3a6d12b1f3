/**
 * What the routing file says of embedding spaces: how they are measured, and who may serve on that. What a key does is src/spaces/'s.
 */
import { Type } from "@sinclair/typebox";
import { closed, milliseconds } from "./schema-values";

export const OnDrift = Type.Union([Type.Literal("stop"), Type.Literal("warn")], {
  default: "stop",
  description:
    "When the vectors of the first route differ from the first measurement. stop: the route is taken out of service. warn: it stays, and the log warns.",
});

export const SpaceProbeSection = Type.Object(
  {
    every_ms: Type.Optional(
      milliseconds(
        "Time between two measurements of a route that is in use.",
        1_000,
        2_592_000_000,
        3_600_000,
      ),
    ),
  },
  {
    ...closed,
    description:
      "Fixed texts sent to each route regularly, to check that its vectors still lie in its embedding space.",
  },
);
