/**
 * The routing file's `models`: what clients may ask for, and by which routes.
 * A new key is a line here with its description; what rests on two keys at once is in models.ts.
 */
import { type Static, Type } from "@sinclair/typebox";
import { KnownFacts } from "../domain/facts";
import { OnDrift } from "./schema-spaces";
import { closed } from "./schema-values";

export const RouteEntry = Type.Object(
  {
    provider: Type.String({ minLength: 1, description: "A name under `providers`." }),
    model: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 256,
        description:
          "The model's name there, when it is another. Under a pattern, * is what the pattern's * stood for.",
      }),
    ),
    space: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 256,
        description: "The embedding space of this route's vectors.",
      }),
    ),
    weight: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 1_000_000,
        description:
          "Share of the requests among routes with weights that follow one another; 0: only when the others cannot. Without one, routes are tried in order.",
      }),
    ),
  },
  { ...closed, description: "One way to a model." },
);

export const ModelEntry = Type.Composite(
  [
    Type.Object({
      routes: Type.Optional(
        Type.Array(RouteEntry, {
          minItems: 1,
          maxItems: 100,
          description: "Ways to the model, tried in order; all of one embedding space.",
        }),
      ),
      alias_of: Type.Optional(
        Type.String({
          minLength: 1,
          description: "Another model's id: this one is only a second name for it.",
        }),
      ),
      space: Type.Optional(
        Type.String({
          minLength: 1,
          maxLength: 256,
          description: "The embedding space of the model's vectors.",
        }),
      ),
      on_drift: Type.Optional(OnDrift),
      hedge_after_ms: Type.Optional(
        Type.Integer({
          minimum: 1,
          maximum: 3_600_000,
          description:
            "A request for one input that is not answered by then is sent to another route too (to the same, where there is no other), and the first good answer taken; both are paid for. Left out: never.",
        }),
      ),
      embeddings: Type.Optional(
        Type.Boolean({ default: true, description: "false: a model that is known, but cannot embed." }),
      ),
    }),
    KnownFacts,
  ],
  {
    ...closed,
    description: "A model that clients may ask for. What it does not say comes from the catalogue.",
  },
);

export type RouteEntry = Static<typeof RouteEntry>;
export type ModelEntry = Static<typeof ModelEntry>;
