/**
 * The routing file's settings for embedding spaces: how they are measured, and who may serve. src/spaces/ implements them.
 */
import { Type } from "@sinclair/typebox";
import { closed, milliseconds } from "./schema-values";

/**
 * The default of `agreement_min`, for each probe text's two vectors. 8-bit weights reach .9953 on the worst of 3,000 single
 * words (.996 on these texts); another tokenizer stays below .97 for the script that it splits differently.
 */
export const AGREEMENT_MIN = 0.99;

export const OnDrift = Type.Union([Type.Literal("stop"), Type.Literal("warn")], {
  default: "stop",
  description:
    "When the vectors of the first route change (drift). stop: the route is taken out of service. warn: it stays in service, and the log warns.",
});

export const Unmeasured = Type.Union([Type.Literal("serve"), Type.Literal("refuse")], {
  default: "serve",
  description:
    "Until two routes of a model are measured to agree. serve: one route serves, the first that could be measured, and its answers are marked as unverified. refuse: only the first route serves.",
});

export const UnmeasuredOfModel = Type.Union([Type.Literal("serve"), Type.Literal("refuse")], {
  description: "Overrides the file's `spaces.unmeasured` for this model.",
});

export const AgreementMin = Type.Number({
  exclusiveMinimum: 0,
  maximum: 1,
  default: AGREEMENT_MIN,
  description:
    "Minimum cosine between a route's vectors of the probe texts and the reference vectors of the space; below it the route is out of service. 8-bit weights reach 0.99, 4-bit weights about 0.85.",
});

export const SpaceFingerprints = Type.String({
  minLength: 1,
  description:
    "A file that 'embedgate spaces export' printed, relative to this file's folder: reference vectors, known before the first measurement.",
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
    check_every_ms: Type.Optional(
      milliseconds(
        "Least time between two quick checks of a route in use: some 12 tokens, after at least 20 of its answers. If the vectors differ, the route is measured at once. At or above every_ms there are none.",
        1_000,
        2_592_000_000,
        30_000,
      ),
    ),
  },
  {
    ...closed,
    description:
      "Fixed texts sent to each route regularly, to check that its vectors are still in its embedding space.",
  },
);
