/**
 * What the options of `embedgate embed` mean: the job, and whether an earlier run has started it.
 * A new option is a member of `EmbedOptions`, and of `Plan` (src/jobs/plan.ts) if it changes a vector or its place.
 */
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import type { InputFormat } from "../jobs/formats";
import { type Kept, readJournal } from "../jobs/journal";
import { type Dtype, forget, isFinished, type Output, type Paths } from "../jobs/output";
import { differenceOf, type Plan } from "../jobs/plan";
import type { Asked, Sender } from "../jobs/sender";
import type { Survey } from "../jobs/survey";
import { bootId } from "../machine/boot";
import { WrongUsage } from "../terminal/wrong-usage";
import type { Where } from "./embed-sender";

export interface EmbedOptions extends Where {
  readonly model: string;
  readonly out: string;
  readonly field: string;
  readonly inputFormat?: InputFormat;
  readonly dtype?: Dtype;
  readonly dimensions?: number;
  readonly inputType?: string;
  readonly prompt?: "query" | "document";
  readonly concurrency: number;
  readonly maxUsd?: number;
  readonly dryRun?: boolean;
  readonly resume?: boolean;
  readonly overwrite?: boolean;
}

export const askedOf = ({ model, dimensions, inputType, prompt }: EmbedOptions): Asked => ({
  model,
  dimensions,
  fields: {
    ...(inputType !== undefined && { input_type: inputType }),
    ...(prompt !== undefined && { prompt_name: prompt }),
  },
});

/** @returns undefined if there is nothing left to do */
export async function keptOf(
  { resume, overwrite, dryRun, out }: EmbedOptions,
  paths: Paths,
  output: Output,
): Promise<Kept | undefined> {
  const kept = await readJournal(paths.journal, bootId());
  if (overwrite && !dryRun) {
    await forget(paths);
    await rm(out, { force: true });
    // Their holds on credits are released.
    return { plan: undefined, runs: kept.runs, made: undefined, chunks: [] };
  }
  const hasBegun = kept.plan !== undefined;
  if (hasBegun && !resume && !dryRun)
    throw new WrongUsage(
      `--out: a run on ${out} was not finished: --resume continues it, --overwrite starts over.`,
    );
  if (hasBegun && isFinished(paths, output)) {
    await forget(paths);
    console.error(`${out} is finished.`);
    return undefined;
  }
  if (!hasBegun && existsSync(out) && !dryRun)
    throw new WrongUsage(`--out: ${out} exists: --overwrite replaces it.`);
  return kept;
}

export const planOf = (
  { model, dimensions, inputType, prompt, field }: EmbedOptions,
  { through, treatment }: Sender,
  { name }: Output,
  { rows, digest }: Survey,
  chunk: Plan["chunk"],
): Plan => ({
  version: 1,
  model,
  through,
  dimensions: dimensions ?? null,
  input_type: inputType ?? null,
  prompt: prompt ?? null,
  treatment,
  field,
  rows,
  digest,
  output: name,
  chunk,
});

/** @throws WrongUsage */
export function refuseAnother(kept: Kept, plan: Plan, { journal, vectors }: Paths): void {
  const anew = "--overwrite starts over.";
  const difference = kept.plan && differenceOf(kept.plan, plan);
  if (difference !== undefined)
    throw new WrongUsage(`--resume: this is not the job of ${journal}. ${difference}. ${anew}`);
  if (kept.made && !existsSync(vectors))
    throw new WrongUsage(
      `--resume: ${vectors} is missing, and with it the vectors that were paid for. ${anew}`,
    );
}
