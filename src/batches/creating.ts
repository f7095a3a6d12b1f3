/**
 * POST /v1/batches: reads and checks the whole input file, holds what all of it may cost, and only then creates the batch. As with OpenAI,
 * errors in the file make a failed batch; a batch that exceeds the workspace's credits or caps is refused.
 */

import type { BatchRecord, BatchRecords, FileRecord } from "../books/batch-records";
import type { Amount } from "../books/fitting";
import type { Ledger } from "../books/ledger";
import type { WorkspaceRules } from "../callers/workspaces";
import { decodeEmbeddings } from "../dialects/openai-embeddings";
import { asGatewayError, GatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";
import type { Policies } from "../domain/policies";
import type { Caller, EmbedRequest, Route } from "../domain/request";
import { mostOf, type Prices } from "../request/account";
import type { Unpriced } from "../request/unpriced";
import type { Routes } from "../routes/route";
import type { Asked } from "./asked";
import type { Files } from "./files";
import { newId } from "./files";
import type { Folder } from "./folder";
import { INPUTS_MAX, isWrong, LINES_MAX, requestLines, wrong } from "./input";
import type { BatchError } from "./objects";
import { atBatchPrice } from "./way";

export interface CreatingParts {
  readonly records: BatchRecords;
  readonly files: Files;
  readonly folder: Folder;
  readonly ledger: Pick<Ledger, "lines">;
  readonly outside: Pick<Outside, "now" | "randomBytes" | "turn">;
  readonly routes: () => Routes;
  readonly prices: () => Prices;
  readonly unpriced: Unpriced;
  readonly rules: (workspace: string) => WorkspaceRules;
  readonly policies: (caller: Caller) => Policies;
}

const WINDOW_MS = 86_400_000;
const ERRORS_MAX = 100;

/** @throws GatewayError invalid | no_such_object | conflict | insufficient_credit | cap_exceeded | price_unknown */
export async function create(caller: Caller, asked: Asked, parts: CreatingParts): Promise<BatchRecord> {
  const { workspace } = caller;
  const { records, files } = parts;
  const before = await repeated(workspace, asked, records);
  if (before) return before;
  const input =
    "fileId" in asked.input
      ? inputFile(await files.find(workspace, asked.input.fileId))
      : await kept(workspace, asked.input.lines, parts);
  try {
    return await createFrom(input, caller, asked, parts);
  } catch (thrown) {
    // The file belongs to this request only.
    if ("lines" in asked.input) await files.remove(workspace, input.id);
    throw thrown;
  }
}

async function createFrom(
  input: FileRecord,
  caller: Caller,
  asked: Asked,
  parts: CreatingParts,
): Promise<BatchRecord> {
  const { workspace } = caller;
  const { records, folder, outside } = parts;
  const surveyed = await survey(folder.pathOf(input.id), caller, parts);
  const now = outside.now();
  const hasFailed = surveyed.errors.length > 0;
  const batch: BatchRecord = {
    id: newId("batch_", outside),
    workspace,
    key_id: caller.keyId,
    input_file_id: input.id,
    metadata: asked.metadata && JSON.stringify(asked.metadata),
    status: hasFailed ? "failed" : "validating",
    errors: hasFailed ? JSON.stringify(surveyed.errors) : null,
    model: surveyed.models.size === 1 ? ([...surveyed.models][0] ?? null) : null,
    created_at: now,
    expires_at: now + WINDOW_MS,
    in_progress_at: null,
    finalizing_at: null,
    completed_at: null,
    failed_at: hasFailed ? now : null,
    expired_at: null,
    cancelling_at: null,
    cancelled_at: null,
    lines: hasFailed ? 0 : surveyed.lines,
    lines_completed: 0,
    lines_failed: 0,
    tokens: 0,
    output_file_id: null,
    error_file_id: null,
    output_expires_after: asked.outputExpiresAfterMs ?? null,
    idempotency_key: asked.idempotencyKey ?? null,
    request_hash: asked.hash,
  };
  if (!hasFailed) await hold(batch, surveyed.most, parts);
  if (await records.putBatch(batch)) return batch;
  // Of two concurrent requests with the same idempotency key, the first creates the batch and both get it.
  if (!hasFailed) await parts.ledger.lines.release(batch.id, now);
  const other = await repeated(workspace, asked, records);
  if (other) return other;
  throw new GatewayError("internal", "The batch could not be created: its id is taken.");
}

async function repeated(
  workspace: string,
  { idempotencyKey, hash }: Asked,
  records: BatchRecords,
): Promise<BatchRecord | undefined> {
  if (idempotencyKey === undefined) return undefined;
  const before = await records.byIdempotencyKey(workspace, idempotencyKey);
  if (!before || before.request_hash === hash) return before;
  throw new GatewayError(
    "conflict",
    `The Idempotency-Key was already used for a different request, which created ${before.id}. Use a new key.`,
    { field: "Idempotency-Key" },
  );
}

function inputFile(file: FileRecord): FileRecord {
  if (file.purpose === "batch") return file;
  throw new GatewayError(
    "invalid",
    `'input_file_id' has the purpose ${file.purpose}: upload a file with the purpose "batch".`,
    {
      field: "input_file_id",
    },
  );
}

/** Writes the requests of a body to an input file, as if they had been uploaded. */
function kept(
  workspace: string,
  lines: readonly object[],
  { files, outside }: CreatingParts,
): Promise<FileRecord> {
  const about = {
    id: newId("file-", outside),
    workspace,
    filename: "requests.jsonl",
    purpose: "batch",
  } as const;
  return files.make(about, async (file) => {
    for (const line of lines) await file.add(Buffer.from(`${JSON.stringify(line)}\n`));
  });
}

async function hold(batch: BatchRecord, most: Amount, { ledger, rules }: CreatingParts): Promise<void> {
  const { id, workspace, created_at: at } = batch;
  const { terms } = rules(workspace);
  if (await ledger.lines.reserve({ batch: id, workspace, most, terms, at })) return;
  throw new GatewayError(
    "insufficient_credit",
    "The batch's highest possible cost exceeds the credits or the spending cap that other requests and batches of the workspace leave free. Send a smaller batch, or wait until they end.",
  );
}

interface Survey {
  readonly errors: readonly BatchError[];
  readonly models: ReadonlySet<string>;
  readonly lines: number;
  /** What all lines together may cost. */
  readonly most: Amount;
}

async function survey(path: string, caller: Caller, parts: CreatingParts): Promise<Survey> {
  const rules = parts.rules(caller.workspace);
  const policies = parts.policies(caller);
  const routes = parts.routes();
  const prices = parts.prices();
  const errors: BatchError[] = [];
  const models = new Set<string>();
  const ids = new Set<string>();
  const found = new Map<string, Route | GatewayError>();
  let lines = 0;
  let inputs = 0;
  let femtoCredits = 0n;
  let picoUsd = 0n;
  const routeOf = (model: string) => {
    let route = found.get(model);
    if (route === undefined) {
      try {
        route = atBatchPrice(routes.resolve(routes.meant(model, [], rules.models), rules.models));
      } catch (thrown) {
        route = asGatewayError(thrown);
      }
      found.set(model, route);
    }
    return route;
  };
  for await (const one of requestLines(path)) {
    if (errors.length >= ERRORS_MAX) break;
    lines += 1;
    if (lines % LINES_A_TURN === 0) await parts.outside.turn?.();
    if (isWrong(one)) {
      errors.push(one);
      continue;
    }
    const { line, customId, body } = one;
    if (ids.has(customId))
      errors.push(
        wrong(
          line,
          "duplicate_custom_id",
          `The custom_id '${customId}' for this request is a duplicate of another request. The custom_id parameter must be unique for each request in a batch.`,
          "custom_id",
        ),
      );
    ids.add(customId);
    if (lines > LINES_MAX) {
      errors.push(wrong(line, "too_many_requests", `The file has more than ${LINES_MAX} requests.`));
      break;
    }
    if (typeof body.model === "string") models.add(body.model);
    const request = decoded(body, policies);
    if (request === undefined) continue;
    inputs += request.inputs.length;
    if (inputs > INPUTS_MAX) {
      errors.push(
        wrong(
          line,
          "too_many_inputs",
          `The file has more than ${INPUTS_MAX} embedding inputs over all its requests.`,
          "input",
        ),
      );
      break;
    }
    const route = routeOf(request.model);
    if (route instanceof GatewayError) {
      errors.push(wrong(line, "model_not_found", route.message, "body.model"));
      continue;
    }
    parts.unpriced.refuse(route, rules);
    const most = mostOf(request.inputs, promptBytesOf(route), route, prices);
    femtoCredits += most.femtoCredits;
    picoUsd += most.picoUsd;
  }
  if (lines === 0)
    errors.push(
      wrong(
        null,
        "empty_file",
        "The input file is empty. Please ensure that the batch contains at least one request.",
      ),
    );
  return { errors, models, lines, most: { femtoCredits, picoUsd } };
}

const LINES_A_TURN = 64;

/** Undefined if the body is invalid: the line fails for that reason when it is run. */
function decoded(body: object, policies: Policies): EmbedRequest | undefined {
  try {
    return decodeEmbeddings(body, policies).request;
  } catch {
    return undefined;
  }
}

/** An upper bound for the bytes that the model's prompt adds to a text. */
function promptBytesOf({ facts: { prompts } }: Route): number {
  return Math.max(0, ...Object.values(prompts || {}).map((text) => Buffer.byteLength(text)));
}
