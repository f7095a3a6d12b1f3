/**
 * Runs one line of a batch like any request, and keeps its result in the work file. Transient errors are retried with exponential backoff under
 * the same id, so that the line is answered and charged once.
 */

import type { BatchRecord } from "../books/batch-records";
import type { Ledger } from "../books/ledger";
import { encodeError } from "../dialects/openai";
import { decodeEmbeddings } from "../dialects/openai-embeddings";
import type { Decoded } from "../dialects/wire";
import { wordingOf } from "../dialects/wording";
import type { Ending } from "../domain/ending";
import { asGatewayError, type ErrorKind, type GatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";
import type { Policies } from "../domain/policies";
import type { Caller } from "../domain/request";
import type { RequestTrace } from "../domain/trace";
import { TRANSIENT } from "../jobs/isolate";
import { printPage } from "../printing/print";
import { pagesOf } from "../printing/script";
import type { Answer, Arrival } from "../request/embed";
import type { Routes } from "../routes/route";
import type { RequestLine } from "./input";
import { answeredLine } from "./objects";
import type { WorkFile } from "./work-file";

export interface LineParts {
  readonly batch: Pick<BatchRecord, "id" | "metadata">;
  readonly caller: Caller;
  readonly policies: Policies;
  /** @param through replaces the routes */
  readonly embed: (arrival: Omit<Arrival, "ending">, through?: (routes: Routes) => Routes) => Promise<Answer>;
  readonly ledger: Pick<Ledger, "lines">;
  readonly work: WorkFile;
  /** Left out if the line is not traced. */
  readonly trace?: RequestTrace | undefined;
  readonly outside: Pick<Outside, "sleep" | "random" | "turn" | "log">;
  /** Fires when no further call may begin. */
  readonly halt: Ending;
  /** Fires when the batch's lease must be given up at once. */
  readonly leave: Ending;
  /** Whether another process may have taken over the batch. */
  readonly isLost: () => boolean;
}

/** Errors that the line itself may cause: their retries are limited. */
const PERHAPS_ITS_OWN: ReadonlySet<ErrorKind> = new Set<ErrorKind>(["timeout", "deadline", "malformed"]);
const OWN_ATTEMPTS_MAX = 5;
const BACKOFF_FIRST_MS = 1_000;
const BACKOFF_MAX_MS = 60_000;

/** The id of a line, in the ledger and in the output file. */
export const lineId = (batchId: string, line: number) =>
  `batch_req_${batchId.slice("batch_".length)}${line.toString(16).padStart(5, "0")}`;

/** Resolves once the line's result is kept, or the line is left for later. */
export async function runLine(one: RequestLine, parts: LineParts): Promise<void> {
  const { batch, work, ledger, outside, halt } = parts;
  const id = lineId(batch.id, one.line);
  for (let attempt = 1; !halt.aborted; attempt++) {
    try {
      await ledger.lines.setAside(id);
      await attemptLine(one, id, parts);
      return;
    } catch (thrown) {
      const error = asGatewayError(thrown);
      // The line was answered, but the database failed before its row was settled: running.ts settles it, without another call.
      if (work.kept.has(one.line)) return;
      if (error.kind === "cancelled" || parts.isLost()) return;
      const isFinal =
        !TRANSIENT.has(error.kind) || (PERHAPS_ITS_OWN.has(error.kind) && attempt >= OWN_ATTEMPTS_MAX);
      if (error.kind === "internal")
        outside.log("error", "request of a batch failed with an internal error", {
          request: id,
          cause: error.cause instanceof Error ? error.cause.stack : String(error.cause ?? error.message),
        });
      if (isFinal) return keepFailure(one, error, parts);
      const backoff = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** (attempt - 1));
      const ms = error.retryAfterMs ?? Math.round(backoff * (0.5 + outside.random() / 2));
      await outside.sleep(ms, halt).catch(() => undefined);
    }
  }
}

/**
 * Makes one attempt.
 * @param through replaces the routes
 * @throws GatewayError
 */
export async function attemptLine(
  { line, customId, body }: RequestLine,
  id: string,
  { batch, caller, policies, embed, work, trace, outside, isLost }: LineParts,
  through?: (routes: Routes) => Routes,
): Promise<void> {
  let decoded: Decoded | undefined;
  await embed(
    {
      requestId: id,
      caller,
      speech: () => ({ policies, forced: undefined }),
      decode() {
        decoded = decodeEmbeddings(
          policies.metadata === "honour" ? withMetadata(body, batch) : body,
          policies,
        );
        // `keep` below has printed the vectors; no client waits for this answer.
        return { ...decoded, encode: () => ({ encoding: "base64", passages: [] }) };
      },
      body: async () => undefined,
      // Texts of a batch seldom come again, and would evict entries that other requests use.
      cacheUse: { find: through === undefined, keep: false },
      pinnedSpace: undefined,
      failing: () => undefined,
      // Other routes replay answers of a provider's batch service: no call is made.
      trace: through === undefined ? trace : undefined,
      line: {
        batch: batch.id,
        async keep(result, row) {
          if (isLost() || !decoded) throw LOST;
          const text = await printed(decoded.encode(result, id, 0), answeredLine(id, customId, 200), outside);
          await work.keep({ line, isError: false, tokens: result.tokens, row }, text);
        },
      },
    },
    through,
  );
}

const LOST = asGatewayError(new Error("another process works on the batch"));

/** A line without metadata gets the batch's own, for the ledger. */
function withMetadata(body: RequestLine["body"], { metadata }: LineParts["batch"]): object {
  if (metadata === null || (body.metadata !== undefined && body.metadata !== null)) return body;
  return { ...body, metadata: JSON.parse(metadata) };
}

export async function keepFailure(
  { line, customId }: RequestLine,
  error: GatewayError,
  { batch, policies, work }: Pick<LineParts, "batch" | "policies" | "work">,
): Promise<void> {
  const id = lineId(batch.id, line);
  const [before, after] = answeredLine(id, customId, wordingOf(error, policies).status);
  const told = policies.provider_names === "hide" ? error.withoutProvider() : error;
  const text = Buffer.from(`${before}${encodeError(told, policies)}${after}`);
  await work.keep({ line, isError: true, tokens: 0, row: undefined }, [text]);
}

async function printed(
  script: Parameters<typeof pagesOf>[0],
  [before, after]: readonly [string, string],
  { turn }: Pick<Outside, "turn">,
): Promise<Uint8Array[]> {
  const text: Uint8Array[] = [Buffer.from(before)];
  for (const page of pagesOf(script)) {
    text.push(printPage(page));
    await turn?.();
  }
  text.push(Buffer.from(after));
  return text;
}
