/**
 * Runs the job: sends chunks, several in parallel, and starts a new chunk only when a finished one is written. If a job ends early
 * (Ctrl-C, --max-usd, an error), the calls in flight are finished first, so that nothing that was paid is lost.
 */
import { GatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";
import { createCollecting } from "../machine/collecting";
import { type Chunk, chunksOf } from "./chunks";
import type { Committing } from "./committing";
import { type Embedded, isolate } from "./isolate";
import type { ChunkRecord } from "./journal";
import type { Plan } from "./plan";
import { createRowSet, type RowSet } from "./row-set";
import type { Sender } from "./sender";
import type { Source } from "./sources";
import type { Spending } from "./spending";
import type { Survey } from "./survey";

export interface Job {
  readonly sources: readonly Source[];
  readonly plan: Plan;
  readonly survey: Pick<Survey, "firstOf">;
  readonly sender: Pick<Sender, "embed">;
  readonly committing: Committing;
  readonly spending: Spending;
  /** Chunks that earlier runs have finished. */
  readonly before: readonly ChunkRecord[];
  /** Chunks in flight. */
  readonly concurrency: number;
  /** Fires when no further chunk may start. */
  readonly stop: AbortSignal;
  readonly outside: Pick<Outside, "sleep" | "random">;
  /** Called after each chunk. */
  readonly progress: (state: State) => void;
  readonly note: (words: string) => void;
}

export interface State {
  /** Texts that are done, including those of earlier runs. */
  readonly texts: number;
  /** Texts done by this run. */
  readonly textsNow: number;
}

export interface Ended {
  readonly why: "done" | "stopped" | "too expensive";
  readonly refused: ReadonlyMap<number, string>;
  readonly truncated: number;
}

/** @throws GatewayError that ends the job; the journal has everything that was finished */
export async function runJob(job: Job): Promise<Ended> {
  const { committing, spending, stop, concurrency } = job;
  const done = doneBefore(job.before, spending);
  const refused = new Map(
    job.before.flatMap(({ refused = [] }) => refused.map(({ row, reason }) => [row, reason] as const)),
  );
  let truncated = job.before.reduce((sum, record) => sum + (record.truncated ?? 0), 0);
  let texts = 0;
  let textsNow = 0;
  let fault: unknown;
  let why: Ended["why"] = "done";
  const failed = new AbortController();
  const over = AbortSignal.any([stop, failed.signal]);
  const inFlight = new Set<Promise<void>>();
  const told = new Set<string>();
  const collect = createCollecting();

  const patience = {
    outside: job.outside,
    stop: over,
    pausing: (error: GatewayError, ms: number) =>
      job.note(`retrying in ${(ms / 1000).toFixed(1)} s: ${error.message}`),
  };

  async function work(chunk: Chunk): Promise<void> {
    const free = spending.hold(chunk.texts);
    try {
      const embedded = await isolate(job.sender, chunk.texts, committing.made?.space, patience);
      refuseAJobAllWrong(embedded, chunk, committing);
      const cost = spending.add(embedded.tokens, embedded.tokensBilled);
      await committing.commit({ chunk, embedded, cost });
      for (const [place, outcome] of embedded.outcomes.entries())
        if (typeof outcome === "string") refused.set(chunk.rows[place] ?? 0, outcome);
      truncated += embedded.truncated;
      texts += chunk.texts.length;
      textsNow += chunk.texts.length;
      if (embedded.ignored !== undefined && !told.has(embedded.ignored)) {
        told.add(embedded.ignored);
        job.note(`the provider ignores ${embedded.ignored}`);
      }
      collect(bytesOf(embedded));
      job.progress({ texts, textsNow });
    } catch (thrown) {
      if (stop.aborted && thrown === stop.reason) return;
      fault ??= thrown;
      failed.abort(thrown);
    } finally {
      free();
    }
  }

  for await (const chunk of chunksOf(job.sources, job.plan, job.survey.firstOf)) {
    if (done.has(chunk.number)) {
      texts += chunk.texts.length;
      continue;
    }
    while (inFlight.size >= concurrency || (inFlight.size > 0 && spending.mayHold(chunk.texts) === "wait"))
      await Promise.race(inFlight);
    if (over.aborted) break;
    if (spending.mayHold(chunk.texts) === "never") {
      why = "too expensive";
      break;
    }
    const one: Promise<void> = work(chunk).finally(() => inFlight.delete(one));
    inFlight.add(one);
  }
  await Promise.all(inFlight);
  await committing.flush();
  if (fault !== undefined) throw fault;
  if (stop.aborted) why = "stopped";
  return { why, refused, truncated };
}

function doneBefore(before: readonly ChunkRecord[], spending: Spending): RowSet {
  const done = createRowSet();
  for (const { chunk, tokens, cost } of before) {
    done.add(chunk);
    spending.carryOver(tokens, BigInt(cost ?? 0));
  }
  return done;
}

/** If every text of the first chunk is refused, the request itself is wrong, and further calls would only cost money. */
function refuseAJobAllWrong({ outcomes }: Embedded, { texts }: Chunk, { made }: Committing): void {
  const [first] = outcomes;
  if (made !== undefined || texts.length < 2 || typeof first !== "string") return;
  if (outcomes.some((outcome) => typeof outcome !== "string")) return;
  throw new GatewayError(
    "invalid",
    `None of the first ${texts.length} texts was accepted. Of the first: ${first}`,
  );
}

/** Approximate memory of a chunk's vectors and of the reply that contained them. */
function bytesOf({ outcomes }: Embedded): number {
  const [first] = outcomes;
  return typeof first === "string" || first === undefined ? 0 : 3 * outcomes.length * first.byteLength;
}
