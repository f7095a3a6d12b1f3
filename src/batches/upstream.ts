/**
 * Lines for a provider's own batch service: they are gathered, submitted once, polled until they are done, and then each runs through the steps
 * of a request with the reply in place of its call. A submission is recorded in the database before it is sent, and looked up at the provider
 * by its tag before it is submitted again, as it costs money.
 */

import type { BatchRecord } from "../books/batch-records";
import type { UpstreamRecord, UpstreamRecords } from "../books/upstream-batches";
import { asGatewayError, GatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";
import { allDone } from "../domain/until";
import type { BatchCall, BatchResult, BatchService } from "../plugin";
import { isWrong, type RequestLine, requestLines } from "./input";
import { attemptLine, keepFailure, type LineParts, lineId } from "./line";
import { type Preparing, prepare, wayOf, wayTo } from "./prepare";
import { repliesOf } from "./replies";
import { PAID, patiently, submitOnce, timed, untilEnded } from "./upstream-asking";
import { replayed, type UpstreamWay } from "./way";

export interface UpstreamRun {
  /** Whether the line goes to a batch service. */
  isOurs(one: RequestLine): boolean;
  /** Resolves once all of these lines are done or left for later. */
  readonly done: Promise<void>;
}

interface UpstreamParts {
  readonly batch: BatchRecord;
  /** The input file. */
  readonly path: string;
  readonly upstreams: UpstreamRecords;
  readonly preparing: Preparing;
  readonly outside: Pick<Outside, "sleep" | "random" | "alarm" | "log" | "monotonic">;
}

/** The most bytes of one submission, even if the service accepts more: they and the results are in memory. */
const BYTES_AT_ONCE_MAX = 32_000_000;
const RESULT_BYTES_MAX = 64_000_000;
/** "restricted to a maximum of 50,000 embedding inputs" (OpenAI). */
const INPUTS_MAX = 50_000;
const NUMBER_BYTES = 12;
const DIMENSIONS_UNKNOWN = 3_072;

const ASKED_AGAIN_MS_MAX = 60_000;

/** Lines for one model of one provider, with the same fields besides their inputs. */
interface Group {
  readonly way: UpstreamWay;
  readonly words: string;
  readonly calls: BatchCall[];
  readonly from: number;
  to: number;
  bytes: number;
  resultBytes: number;
  inputs: number;
}

export async function runUpstream(lines: LineParts, parts: UpstreamParts): Promise<UpstreamRun> {
  const { batch, upstreams, preparing } = parts;
  const rules = preparing.rules(batch.workspace);
  const begun = await upstreams.of(batch.id);
  // Submitted lines are not sent again, even if the routing file has changed.
  const isHandedOver = (one: RequestLine) =>
    begun.some(
      (record) =>
        !record.has_ended &&
        one.line >= record.from_line &&
        one.line <= record.to_line &&
        wayTo(record, one, preparing.routes(), rules) !== undefined,
    );
  const isOurs = (one: RequestLine) =>
    wayOf(one, preparing.routes(), rules) !== undefined || isHandedOver(one);
  return { isOurs, done: run(lines, parts, begun) };
}

async function run(lines: LineParts, parts: UpstreamParts, begun: readonly UpstreamRecord[]): Promise<void> {
  const { batch, path, upstreams, preparing } = parts;
  const { halt, work, policies } = lines;
  const rules = preparing.rules(batch.workspace);
  const following: Promise<void>[] = [];
  let turn = Promise.resolve();
  /** One batch's results at a time, as they are large. */
  const inTurn = (take: () => Promise<void>) => {
    turn = turn.then(take, take);
    return turn;
  };
  const isHanded = ({ line }: RequestLine, { target }: UpstreamWay, words: string) =>
    begun.some(
      (record) =>
        record.provider === target.provider.name &&
        record.model === target.model &&
        record.words === words &&
        line >= record.from_line &&
        line <= record.to_line,
    );
  let place = begun.length;
  const groups = new Map<string, Group>();
  const handOver = async ({ way: { target }, words, calls, from, to }: Group) => {
    const record: UpstreamRecord = {
      tag: `${batch.id}-${place}`,
      batch: batch.id,
      place,
      provider: target.provider.name,
      model: target.model,
      words,
      from_line: from,
      to_line: to,
      upstream_id: null,
      has_ended: false,
    };
    place += 1;
    await upstreams.put(record);
    following.push(follow(record, calls, lines, parts, inTurn));
  };
  for (const record of begun)
    if (!record.has_ended) following.push(follow(record, undefined, lines, parts, inTurn));
  for await (const one of requestLines(path)) {
    if (halt.aborted || lines.isLost()) break;
    if (isWrong(one) || work.kept.has(one.line)) continue;
    const way = wayOf(one, preparing.routes(), rules);
    if (!way) continue;
    const prepared = await prepare(one, way, policies, rules, preparing).catch((thrown: unknown) =>
      keepFailure(one, asGatewayError(thrown), lines),
    );
    if (!prepared || isHanded(one, way, prepared.words)) continue;
    const { calls, words } = prepared;
    const key = JSON.stringify([way.target.provider.name, way.target.model, words]);
    const size = sizeOf(calls, way);
    const open = groups.get(key);
    if (open && isFull(open, calls.length, size)) {
      groups.delete(key);
      await handOver(open);
    }
    const group = groups.get(key) ?? {
      way,
      words,
      calls: [],
      from: one.line,
      to: one.line,
      bytes: 0,
      resultBytes: 0,
      inputs: 0,
    };
    groups.set(key, group);
    group.calls.push(...calls);
    group.to = one.line;
    group.bytes += size.bytes;
    group.resultBytes += size.resultBytes;
    group.inputs += size.inputs;
  }
  if (!halt.aborted) for (const group of groups.values()) await handOver(group);
  await allDone(following);
}

function sizeOf(calls: readonly BatchCall[], { target: { facts } }: UpstreamWay) {
  let bytes = 0;
  let resultBytes = 0;
  let inputs = 0;
  for (const { call } of calls) {
    inputs += call.inputs.length;
    for (const input of call.inputs)
      bytes += typeof input === "string" ? 2 * Buffer.byteLength(input) : 8 * input.length;
    const dimensions = call.dimensions ?? facts.dimensions ?? DIMENSIONS_UNKNOWN;
    resultBytes += call.inputs.length * dimensions * NUMBER_BYTES;
  }
  return { bytes, resultBytes, inputs };
}

function isFull(
  group: Group,
  calls: number,
  { bytes, resultBytes, inputs }: ReturnType<typeof sizeOf>,
): boolean {
  const { maxCalls, maxBytes } = group.way.service;
  return (
    group.calls.length + calls > maxCalls ||
    group.bytes + bytes > Math.min(maxBytes, BYTES_AT_ONCE_MAX) ||
    group.resultBytes + resultBytes > RESULT_BYTES_MAX ||
    group.inputs + inputs > INPUTS_MAX
  );
}

/** Follows one batch at a provider from its submission to its results. Its lines are not in memory meanwhile. */
async function follow(
  record: UpstreamRecord,
  calls: readonly BatchCall[] | undefined,
  lines: LineParts,
  parts: UpstreamParts,
  inTurn: (take: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const { upstreams, outside, batch } = parts;
  const { tag, provider } = record;
  const failAll = async (error: GatewayError) => {
    for (const { one } of await linesOf(record, lines, parts)) await keepFailure(one, error, lines);
    await upstreams.ended(tag);
  };
  const service = await serviceOf(record, lines, parts);
  if (service === undefined) return failAll(gone(record));
  try {
    let id = record.upstream_id ?? undefined;
    if (id === undefined) {
      const sent = calls ?? (await linesOf(record, lines, parts)).flatMap((line) => line.calls);
      id = await submitOnce(record, service, sent, calls === undefined, lines, parts);
      if (id === undefined) return;
      await upstreams.submitted(tag, id);
      const about = { batch: batch.id, provider, upstream_batch: id, calls: sent.length };
      outside.log("info", "batch submitted to the provider's batch service", about);
    }
    await results({ ...record, upstream_id: id }, service, lines, parts, inTurn);
  } catch (thrown) {
    const error = asGatewayError(thrown);
    if (error.kind === "internal" || error.kind === "database_unavailable") throw error;
    await failAll(error.at(provider));
  }
}

async function results(
  record: UpstreamRecord & { readonly upstream_id: string },
  service: BatchService,
  lines: LineParts,
  parts: UpstreamParts,
  inTurn: (take: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const { upstream_id: id, tag } = record;
  const ended = await untilEnded(id, service, lines, parts);
  if (ended === undefined) return;
  await inTurn(async () => {
    const found = await patiently(
      () => timed(parts, lines, (signal) => service.results(id, signal)),
      lines,
      parts,
      PAID,
    );
    if (found === undefined) return;
    const byId = new Map(found.map((result) => [result.id, result]));
    for (const line of await linesOf(record, lines, parts)) {
      if (lines.leave.aborted || lines.isLost()) return;
      await take(line, byId, ended.why, lines, parts);
    }
    await parts.upstreams.ended(tag);
  });
}

interface OurLine {
  readonly one: RequestLine;
  readonly way: UpstreamWay;
  readonly calls: readonly BatchCall[];
}

/** The unfinished lines of a batch at a provider, with their calls, prepared again. */
async function linesOf(
  record: UpstreamRecord,
  lines: LineParts,
  { path, preparing, batch }: UpstreamParts,
): Promise<OurLine[]> {
  const rules = preparing.rules(batch.workspace);
  const ours: OurLine[] = [];
  for await (const one of requestLines(path)) {
    if (isWrong(one) || one.line < record.from_line || lines.work.kept.has(one.line)) continue;
    if (one.line > record.to_line) break;
    const way = wayTo(record, one, preparing.routes(), rules);
    if (!way) continue;
    const prepared = await prepare(one, way, lines.policies, rules, preparing).catch((thrown: unknown) =>
      keepFailure(one, asGatewayError(thrown), lines),
    );
    if (prepared?.words === record.words) ours.push({ one, way, calls: prepared.calls });
  }
  return ours;
}

/** Finds the batch service by the record's lines where no route names the model, such as a pattern of models. */
async function serviceOf(
  record: UpstreamRecord,
  lines: LineParts,
  parts: UpstreamParts,
): Promise<BatchService | undefined> {
  const targets = parts.preparing
    .routes()
    .named()
    .flatMap((route) => route.targets);
  const named = targets.find(({ provider }) => provider.name === record.provider)?.provider.upstream.batches;
  return named ?? (await linesOf(record, lines, parts))[0]?.way.service;
}

const gone = ({ provider }: UpstreamRecord) =>
  new GatewayError(
    "unavailable",
    `The provider "${provider}" that the batch was submitted to is no longer in the routing file.`,
  );

/** Runs one line with its replies, through every check that an answer goes through. */
async function take(
  { one, way, calls }: OurLine,
  results: ReadonlyMap<string, BatchResult>,
  why: string | undefined,
  lines: LineParts,
  { outside }: UpstreamParts,
): Promise<void> {
  const { halt, leave, work, batch, ledger } = lines;
  const found = calls.flatMap(({ id }) => results.get(id) ?? []);
  // Lines that the provider cancelled before they ran have no result.
  if (found.length < calls.length && halt.aborted) return;
  const embed = repliesOf(calls, results, why, way);
  const id = lineId(batch.id, one.line);
  for (let attempt = 1; !work.kept.has(one.line); attempt++) {
    try {
      await ledger.lines.setAside(id);
      await attemptLine(one, id, lines, (routes) => ({
        ...routes,
        resolve: (model, models) => replayed(routes.resolve(model, models), way, embed),
      }));
    } catch (thrown) {
      const error = asGatewayError(thrown);
      if (work.kept.has(one.line) || lines.isLost()) return;
      const isOurFault = ["database_unavailable", "ledger_unavailable", "busy"].includes(error.kind);
      if (!isOurFault) return keepFailure(one, error, lines);
      if (leave.aborted) return;
      await outside
        .sleep(Math.min(ASKED_AGAIN_MS_MAX, 1_000 * attempt), halt.aborted ? leave : halt)
        .catch(() => undefined);
    }
  }
}
