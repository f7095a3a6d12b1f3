/**
 * `embedgate embed`: a bulk job from files to a file of vectors. Its steps are in src/jobs/; their order and the messages are here.
 * embed-plan.ts interprets the options, embed-sender.ts picks the gateway.
 */
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { dirname } from "node:path";
import { picoUsd } from "../books/money";
import { countedInGroups } from "../domain/counted";
import { GatewayError } from "../domain/errors";
import { batchLimits, chunkLimits } from "../jobs/chunk-limits";
import { type Committing, openCommitting } from "../jobs/committing";
import { complete } from "../jobs/complete";
import { type Errors, NO_ERRORS, openErrors } from "../jobs/errors-file";
import { dollars, estimate, inWords } from "../jobs/estimate";
import { type Kept, openJournal } from "../jobs/journal";
import { lock } from "../jobs/lock";
import { finish, forget, type Output, outputOf, type Paths, pathsOf } from "../jobs/output";
import type { Plan } from "../jobs/plan";
import { createRowSet, type RowSet } from "../jobs/row-set";
import { type Ended, runJob } from "../jobs/run";
import type { Sender } from "../jobs/sender";
import { keepStandardInput, type Source, STANDARD_INPUT, sourcesOf } from "../jobs/sources";
import { createSpending, type Spending } from "../jobs/spending";
import { INTERRUPTED, stopping } from "../jobs/stopping";
import { type Survey, survey } from "../jobs/survey";
import { openTelling } from "../jobs/telling";
import { openVectorFile } from "../jobs/vector-file";
import { bootId } from "../machine/boot";
import { realOutside } from "../network/real-outside";
import { WrongUsage } from "../terminal/wrong-usage";
import { askedOf, type EmbedOptions, keptOf, planOf, refuseAnother } from "./embed-plan";
import { openSender } from "./embed-sender";

/** Some rows have no vector: OUT.errors.jsonl lists them. */
const ROWS_LEFT_OUT = 3;

/** A log line replaces the progress bar, which is then drawn again. */
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
  if (options.dimensions === 0) throw new WrongUsage("--dimensions: expected 1 or more.");
  if (options.resume && options.overwrite)
    throw new WrongUsage(
      "--resume and --overwrite cannot be used together: one continues, the other starts over.",
    );
  const folder = dirname(options.out);
  if (!existsSync(folder)) throw new WrongUsage(`--out: the folder ${folder} does not exist.`);
  try {
    const free = lock(paths.lock);
    if (typeof free === "string") throw new WrongUsage(`--out: ${free}`);
    try {
      return await locked(names, options, output, paths);
    } finally {
      free();
    }
  } catch (thrown) {
    throw ofSystem(thrown);
  }
}

async function locked(
  names: readonly string[],
  options: EmbedOptions,
  output: Output,
  paths: Paths,
): Promise<number> {
  // Before OUT is replaced, as it may be one of the inputs.
  const sources = await sourcesOf(names, options.inputFormat, paths.spool, Object.values(paths));
  const kept = await keptOf(options, paths, output);
  if (kept === undefined) return existsSync(paths.errors) ? ROWS_LEFT_OUT : 0;
  // Before standard input is read, because this may re-execute the process (src/serving/fetch-limit.ts).
  const opened = await openSender(options, askedOf(options), kept.runs, outside);
  if (opened === undefined) return 1;
  try {
    // The stored copy of an earlier run is complete, because its journal was started after it.
    if (names.includes(STANDARD_INPUT) && !(kept.plan && existsSync(paths.spool)))
      await keepStandardInput(paths.spool);
    return await work(options, { output, paths, kept, sources, ...opened });
  } finally {
    await opened.sender.close();
  }
}

/** A full disk or a file without write permission is not a bug of ours. */
function ofSystem(thrown: unknown): unknown {
  const isOfSystem = thrown instanceof Error && "syscall" in thrown;
  return isOfSystem ? new GatewayError("internal", thrown.message) : thrown;
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

/** Reads the input, prints its size, and refuses a job that differs from the journal's. */
async function work(options: EmbedOptions, prepared: Prepared): Promise<number> {
  const { output, paths, kept, sources, sender } = prepared;
  const { model, field, concurrency, dryRun = false, maxUsd } = options;
  const { facts } = sender;
  if (maxUsd !== undefined && facts.price === undefined)
    throw new WrongUsage(
      `--max-usd: the price of ${model} is not known. The routing file's models.${model}.price says it.`,
    );
  const unusable = createRowSet();
  const errors = dryRun ? NO_ERRORS : openErrors(paths.errors);
  try {
    const seen = await survey(sources, field, paths.scratch, (row, place, { reason }) => {
      unusable.add(row);
      errors.add(row, place, reason);
    });
    const chunk = kept.plan?.chunk ?? (options.via === "batch" ? batchLimits(facts) : chunkLimits(facts));
    const expected = await estimate(seen, sender, chunk.inputs, concurrency);
    for (const line of inWords(seen, expected, facts.price, concurrency)) say(line);
    if (dryRun) {
      if (kept.plan === undefined) await rm(paths.spool, { force: true });
      return 0;
    }
    if (seen.texts === 0) return await withoutTexts(options, prepared, seen, unusable, errors);
    const plan = planOf(options, sender, output, seen, chunk);
    refuseAnother(kept, plan, paths);
    return await run(options, { ...prepared, plan, seen, unusable, errors });
  } finally {
    errors.close();
  }
}

/** Writes OUT with as many rows but no vectors, and sends nothing. Without known dimensions that file cannot be written. */
async function withoutTexts(
  { model, out }: EmbedOptions,
  { output, paths, sender: { facts } }: Prepared,
  seen: Survey,
  unusable: RowSet,
  errors: Errors,
): Promise<number> {
  await forget(paths);
  const { dimensions } = facts;
  const { rows } = seen;
  if (dimensions === undefined) {
    say(`There is no text to embed, and the dimensions of ${model} are not known: ${out} is not written.`);
    return rows > 0 ? ROWS_LEFT_OUT : 1;
  }
  const turn = () => outside.sleep(0);
  const file = await openVectorFile(paths.vectors, output.layout, { rows, dimensions });
  const without = await complete(file, seen, unusable, new Map(), errors, turn);
  await finish(output, paths, { file, without, made: { dimensions, space: "" }, model, turn });
  say(`${out}: ${countedInGroups(rows, "row")} of ${dimensions} dimensions.`);
  return told(without, paths);
}

/** Prints the result. @returns the exit code of a finished job */
function told({ size }: RowSet, { errors }: Paths): number {
  if (size === 0) return 0;
  say(`${countedInGroups(size, "row")} without a vector: ${errors} says why.`);
  return ROWS_LEFT_OUT;
}

interface Planned extends Prepared {
  readonly plan: Plan;
  readonly seen: Survey;
  readonly unusable: RowSet;
  readonly errors: Errors;
}

async function run(options: EmbedOptions, planned: Planned): Promise<number> {
  const { output, paths, kept, plan, seen, sender, sources } = planned;
  const { maxUsd, concurrency } = options;
  const journal = await openJournal(paths.journal);
  await journal.write([...(kept.plan ? [] : [{ plan }]), { run: planned.run, boot: bootId() ?? "unknown" }]);
  await journal.sync();
  const committing = await openCommitting({
    path: paths.vectors,
    layout: output.layout,
    rows: seen.rows,
    journal,
    made: kept.made,
    records: kept.chunks.length,
  });
  const most = maxUsd === undefined ? undefined : picoUsd(maxUsd);
  const spending = createSpending(sender.facts, most);
  const telling = openTelling(process.stderr, seen.texts, spending, outside);
  const stop = stopping(telling.note);
  let isVain = false;
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
      outside,
      progress: telling.at,
      note: telling.note,
    });
    telling.end();
    return await end(options, planned, committing, spending, ended);
  } catch (thrown) {
    isVain = committing.made === undefined && kept.chunks.length === 0;
    if (!isVain) telling.note("The job ended early; finished rows are kept. --resume continues from here.");
    throw thrown;
  } finally {
    telling.end();
    await committing.close();
    await journal.close();
    // Nothing was done that another run could continue.
    if (isVain) await forget(paths);
  }
}

/** The result of a run: OUT, or what is left to do. */
async function end(
  { out, maxUsd }: EmbedOptions,
  { output, paths, plan, seen, unusable, errors }: Planned,
  { file, made }: Committing,
  { tokens, cost }: Spending,
  { why, refused, truncated }: Ended,
): Promise<number> {
  const used = `${countedInGroups(tokens, "token")}${cost === undefined ? "" : `, ${dollars(cost)}`}`;
  if (why !== "done") {
    const words = why === "stopped" ? "Stopped" : `Stopped before $${maxUsd} (--max-usd)`;
    say(`${words}: ${used} so far. --resume continues from here.`);
    return why === "stopped" ? INTERRUPTED : 1;
  }
  if (file === undefined || made === undefined) {
    for (const [row, reason] of refused) errors.add(row, seen.placeOf(row), reason);
    say(`No row has a vector: ${paths.errors} says why.`);
    return 1;
  }
  const turn = () => outside.sleep(0);
  const without = await complete(file, seen, unusable, refused, errors, turn);
  await finish(output, paths, { file, without, made, model: plan.model, turn });
  const space = made.space === "" ? "" : ` in the space ${made.space}`;
  say(`${out}: ${countedInGroups(seen.rows, "row")} of ${made.dimensions} dimensions${space}, ${used}.`);
  if (truncated > 0) say(`Cut to the model's limit: ${countedInGroups(truncated, "text")}.`);
  return told(without, paths);
}
