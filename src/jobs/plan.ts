/**
 * What makes two runs the same job: a run continues another's journal only if all of this is equal.
 * Whatever changes a vector, its row or its place in the file is a member of `Plan`, with its description in WORDS.
 */
import { type Static, Type } from "@sinclair/typebox";

const nullable = <Schema extends Parameters<typeof Type.Union>[0][number]>(schema: Schema) =>
  Type.Union([schema, Type.Null()]);

export const Plan = Type.Object({
  version: Type.Literal(1),
  model: Type.String(),
  through: Type.String(),
  dimensions: nullable(Type.Integer()),
  input_type: nullable(Type.String()),
  prompt: nullable(Type.String()),
  treatment: Type.String(),
  field: Type.String(),
  rows: Type.Integer(),
  digest: Type.String(),
  output: Type.String(),
  /** How texts are grouped into calls: chosen by the first run, and kept by runs that continue it. */
  chunk: Type.Object({ inputs: Type.Integer(), tokens: Type.Integer(), bytes: Type.Integer() }),
});
export type Plan = Static<typeof Plan>;

/** In the order in which differences are reported. */
const WORDS = {
  model: "--model",
  through: "--url or the routing file",
  dimensions: "--dimensions",
  input_type: "--input-type",
  prompt: "--prompt",
  treatment: "the model's prompts, default_task and long_input",
  field: "--field",
  output: "the output's format",
  rows: "the number of input rows",
  digest: "the input's text (SHA-256)",
} as const satisfies Partial<Record<keyof Plan, string>>;

const isNamed = (name: string): name is keyof typeof WORDS => Object.hasOwn(WORDS, name);

/** Describes the first difference; undefined if the job is the same. */
export function differenceOf(before: Plan, now: Plan): string | undefined {
  const told: string[] = [];
  for (const [name, words] of Object.entries(WORDS)) {
    if (!isNamed(name) || before[name] === now[name]) continue;
    told.push(`${words}: was ${before[name] ?? "not given"}, is ${now[name] ?? "not given"}`);
  }
  return told.length === 0 ? undefined : told.join("; ");
}
