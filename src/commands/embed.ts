/**
 * `embedgate embed`: a bulk job from files to a file of vectors. Its steps are in src/jobs/; here is their order, and what is said.
 * A new option is a member of `EmbedOptions`, and of `Plan` (src/jobs/plan.ts) where it changes a vector or its place.
 */
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { picoUsd } from "../books/money";
import { GatewayError } from "../domain/errors";
import { openCommitting } from "../jobs/committing";
import { complete } from "../jobs/complete";
import { openErrors } from "../jobs/errors-file";
import { dollars, estimate, inWords } from "../jobs/estimate";
import type { InputFormat } from "../jobs/formats";
import { type Kept, openJournal, readJournal } from "../jobs/journal";
import { lock } from "../jobs/lock";
import {
  type Dtype,
  finish,
  forget,
  isFinished,
  type Output,
  outputOf,
  type Paths,
  pathsOf,
} from "../jobs/output";
import { differenceOf, type Plan } from "../jobs/plan";
import { createRowSet } from "../jobs/row-set";
import { runJob } from "../jobs/run";
import type { Asked, Sender } from "../jobs/sender";
import { keepStandardInput, type Source, STANDARD_INPUT, sourcesOf } from "../jobs/sources";
import { createSpending } from "../jobs/spending";
import { survey } from "../jobs/survey";
import { openTelling } from "../jobs/telling";
import { realOutside } from "../network/real-outside";
import { WrongUsage } from "../terminal/wrong-usage";
import { openSender, type Where } from "./embed-sender";

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

/** Some rows have no vector: OUT.errors.jsonl says which. */
const ROWS_LEFT_OUT = 3;
const INTERRUPTED = 130;

/** Texts in a call, at most: what a kill may make to be paid again is this times --concurrency. */
const INPUTS_MAX = 256;
/** Numbers in a call's vectors, so that large vectors do not fill the memory. */
const NUMBERS_MAX = 256 * 1024;
const BYTES_MAX = 1024 * 1024;

/** A log line takes the place of the bar, which is drawn again. */
const outside = {
  ...realOutside,
  log(...line: Parameters<typeof realOutside.log>) {
    if (process.stderr.isTTY) process.stderr.write("\r\u001b[K");
    realOutside.log(...line);
  },
};

const say = (words: string) => console.error(words);

/** @returns the exit code */
export async function embed(names: readonly string[], options: EmbedOptions): Promise<number> {
  const output = outputOf(options.out, options.dtype);
  const paths = pathsOf(options.out);
  if (options.concurrency < 1) throw new WrongUsage("--concurrency: expected 1 or more.");
  const free = lock(paths.lock);
  if (typeof free === "string") throw new WrongUsage(`--out: ${free}`);
  try {
    const kept = await keptOf(options, paths, output);
    if (kept === undefined) return existsSync(paths.errors) ? ROWS_LEFT_OUT : 0;
    const sources = await sourcesOf(names, options.inputFormat, paths.spool);
    // What a run before has kept is the whole of it: the journal was begun afterwards.
    if (names.includes(STANDARD_INPUT) && !(kept.plan && existsSync(paths.spool)))
      await keepStandardInput(paths.spool);
    const sender = await openSender(options, askedOf(options), kept.runs, outside);
    if (sender === undefined) return 1;
    try {
      return await work(options, { output, paths, kept, sources, ...sender });
    } catch (thrown) {
      throw ofSystem(thrown);
    } finally {
      await sender.sender.close();
    }
  } finally {
    free();
  }
}

/** A full disk, or a file that may not be written, is no fault of ours. */
function ofSystem(thrown: unknown): unknown {
  const isOfSystem = thrown instanceof Error && "syscall" in thrown;
  return isOfSystem
    ? new GatewayError("internal", `${thrown.message}. What is done is kept: --resume.`)
    : thrown;
}

const askedOf = ({ model, dimensions, inputType, prompt }: EmbedOptions): Asked => ({
  model,
  dimensions,
  fields: {
    ...(inputType !== undefined && { input_type: inputType }),
    ...(prompt !== undefined && { prompt_name: prompt }),
  },
});

/** @returns undefined where there is nothing left to do */
async function keptOf(
  { resume, overwrite, dryRun, out }: EmbedOptions,
  paths: Paths,
  output: Output,
): Promise<Kept | undefined> {
  if (overwrite && !dryRun) {
    await forget(paths);
    await rm(out, { force: true });
  }
  const kept = await readJournal(paths.journal);
  const hasBegun = kept.plan !== undefined;
  if (hasBegun && !resume && !dryRun)
    throw new WrongUsage(
      `--out: a run on ${out} was not finished: --resume goes on with it, --overwrite begins anew.`,
    );
  if (hasBegun && isFinished(paths, output)) {
    await forget(paths);
    say(`${out} is finished.`);
    return undefined;
  }
  if (!hasBegun && existsSync(out) && !dryRun)
    throw new WrongUsage(`--out: ${out} exists: --overwrite replaces it.`);
  return kept;
}

interface Prepared {
  readonly output: Output;
  readonly paths: Paths;
  readonly kept: Kept;
  readonly sources: readonly Source[];
  readonly sender: Sender;
  /** The run's name in the ledger. */
  readonly run: string;
}

async function work(options: EmbedOptions, prepared: Prepared): Promise<number> {
  const { output, paths, kept, sources, sender, run } = prepared;
  const { model, field, concurrency, dryRun = false, maxUsd } = options;
  const { facts } = sender;
  if (maxUsd !== undefined && facts.price === undefined)
    throw new WrongUsage(
      `--max-usd: the price of ${model} is not known. The routing file's models.${model}.price says it.`,
    );
  const unusable = createRowSet();
  const errors = await openErrors(dryRun ? `${paths.scratch}.errors` : paths.errors);
  const found: { readonly row: number; readonly reason: string }[] = [];
  const seen = await survey(sources, field, paths.scratch, (row, { reason }) => {
    unusable.add(row);
    if (!dryRun) found.push({ row, reason });
  });
  for (const { row, reason } of found) errors.add(row, seen.placeOf(row), reason);
  const chunk = kept.plan?.chunk ?? chunkOf(facts);
  const expected = await estimate(seen, sender, chunk.inputs, concurrency);
  for (const line of inWords(seen, expected, facts.price, concurrency)) say(line);
  if (dryRun) {
    if (kept.plan === undefined) await rm(paths.spool, { force: true });
    return 0;
  }
  const plan: Plan = {
    version: 1,
    model,
    through: sender.through,
    dimensions: options.dimensions ?? null,
    input_type: options.inputType ?? null,
    prompt: options.prompt ?? null,
    field,
    rows: seen.rows,
    digest: seen.digest,
    output: output.name,
    chunk,
  };
  const difference = kept.plan && differenceOf(kept.plan, plan);
  if (difference !== undefined)
    throw new WrongUsage(
      `--resume: this is not the job of ${paths.journal}. ${difference}. --overwrite begins anew.`,
    );
  if (kept.made && !existsSync(paths.vectors))
    throw new WrongUsage(
      `--resume: ${paths.vectors} is gone, and with it what was paid for. --overwrite begins anew.`,
    );
  if (seen.texts === 0) {
    await errors.close();
    say("There is no text to embed.");
    return seen.unusable > 0 ? ROWS_LEFT_OUT : 1;
  }
  const journal = await openJournal(paths.journal);
  await journal.write([...(kept.plan ? [] : [{ plan }]), { run }]);
  const committing = await openCommitting({
    path: paths.vectors,
    layout: output.layout,
    rows: seen.rows,
    journal,
    made: kept.made,
  });
  const spending = createSpending(facts.price, maxUsd === undefined ? undefined : picoUsd(maxUsd));
  const telling = openTelling(process.stderr, seen.texts, spending, realOutside);
  const stop = stopping(telling.note);
  try {
    const ended = await runJob({
      sources,
      plan,
      survey: seen,
      sender,
      committing,
      spending,
      before: kept.chunks,
      concurrency,
      stop,
      outside: realOutside,
      progress: telling.at,
      note: telling.note,
    });
    telling.end();
    const cost = spending.cost === undefined ? "" : `, ${dollars(spending.cost)}`;
    const used = `${spending.tokens.toLocaleString("en-US")} tokens${cost}`;
    const { file, made } = committing;
    if (ended.why !== "done") {
      await errors.close();
      const why = ended.why === "stopped" ? "Stopped" : `Stopped before $${maxUsd} (--max-usd)`;
      say(`${why}: ${used} so far. --resume goes on from here.`);
      return ended.why === "stopped" ? INTERRUPTED : 1;
    }
    if (file === undefined || made === undefined) {
      for (const [row, reason] of ended.refused) errors.add(row, seen.placeOf(row), reason);
      await errors.close();
      say(`No row has a vector: ${paths.errors} says why.`);
      return 1;
    }
    const turn = () => realOutside.sleep(0);
    const without = await complete(file, seen, unusable, ended.refused, errors, turn);
    await errors.close();
    await finish(output, paths, { file, without, made, model, turn });
    say(
      `${options.out}: ${seen.rows.toLocaleString("en-US")} rows of ${made.dimensions} dimensions${made.space && ` in the space ${made.space}`}, ${used}.`,
    );
    if (ended.truncated > 0) say(`${ended.truncated} texts were cut to the model's limit.`);
    if (without.size === 0) return 0;
    say(`${without.size} rows have no vector: ${paths.errors} says why.`);
    return ROWS_LEFT_OUT;
  } finally {
    telling.end();
    await committing.close();
    await journal.close();
  }
}

function chunkOf({
  max_inputs,
  max_call_tokens,
  max_call_bytes,
  dimensions,
}: Sender["facts"]): Plan["chunk"] {
  return {
    inputs: Math.min(
      max_inputs ?? INPUTS_MAX,
      INPUTS_MAX,
      Math.max(1, Math.floor(NUMBERS_MAX / (dimensions ?? 1_536))),
    ),
    tokens: max_call_tokens ?? Number.MAX_SAFE_INTEGER,
    bytes: Math.min(max_call_bytes ?? BYTES_MAX, BYTES_MAX),
  };
}

/** The first Ctrl-C lets the calls in flight finish; the second does not. */
function stopping(note: (words: string) => void): AbortSignal {
  const stop = new AbortController();
  const heard = () => {
    if (stop.signal.aborted) process.exit(INTERRUPTED);
    note("Stopping once the calls in flight are done. Ctrl-C again ends at once.");
    stop.abort(new Error("interrupted"));
  };
  process.on("SIGINT", heard);
  process.on("SIGTERM", heard);
  return stop.signal;
}
