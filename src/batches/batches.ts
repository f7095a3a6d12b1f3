/**
 * Batches of a gateway, opened once: the operations of /v1/files and /v1/batches (src/door/batches.ts), and the runner. To add an operation on a
 * batch, add a member here.
 */

import type { BatchRecord, PageOf } from "../books/batch-records";
import type { ConfiguredFiles } from "../config/gateway-config";
import { GatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";
import type { Caller } from "../domain/request";
import { askedOf } from "./asked";
import { type CreatingParts, create } from "./creating";
import { type Files, newId, openFiles } from "./files";
import { openFolder } from "./folder";
import { openMarker } from "./marker";
import { createRunner, type Runner } from "./runner";
import { type RunningParts, runBatch } from "./running";

export interface Batches {
  readonly files: Files;
  readonly runner: Runner;
  /** Whether the last check found the folder of files. */
  readonly isFolderRight: () => boolean;
  /** @param writes whether a file may be written @throws GatewayError busy if it is another folder */
  checkFolder(writes: boolean): Promise<void>;
  /** @throws GatewayError as src/batches/creating.ts says */
  create(caller: Caller, body: unknown, idempotencyKey: string | null): Promise<BatchRecord>;
  /** @throws GatewayError no_such_object */
  find(workspace: string, id: string): Promise<BatchRecord>;
  list(workspace: string, page: PageOf): Promise<readonly BatchRecord[]>;
  /** @throws GatewayError no_such_object | conflict */
  cancel(workspace: string, id: string): Promise<BatchRecord>;
}

type Made = "files" | "folder" | "outside";

interface BatchesParts extends Omit<CreatingParts, Made>, Omit<RunningParts, Made | "policies"> {
  readonly limits: () => ConfiguredFiles;
  /** The name of this process in the ledger. */
  readonly process: string | null;
  /** Only one machine uses the database, so for its first process all leases belong to dead processes. */
  readonly isAlone: boolean;
  readonly checkStays: () => void;
  readonly outside: Outside;
}

export function openBatches(parts: BatchesParts): Batches {
  const { records, outside, limits } = parts;
  const folder = openFolder(limits().folder, outside);
  const files = openFiles({ records, folder, limits, outside });
  const { isAlone } = parts;
  const marker = openMarker({
    records,
    path: limits().folder,
    isAlone,
    outside,
    found: () => runner.look(),
  });
  const inner = { ...parts, files, folder };
  const runner = createRunner({
    records,
    owner: parts.process ?? newId("alone-", outside),
    async run(held) {
      await marker.check(true);
      await runBatch(held, inner);
    },
    checkStays() {
      parts.checkStays();
      // Another machine may have the folder.
      if (!marker.isRightNow()) throw new GatewayError("busy", "The folder of files is not available.");
    },
    outside,
  });

  async function find(workspace: string, id: string): Promise<BatchRecord> {
    const batch = await records.batch(id, workspace);
    if (batch) return batch;
    throw new GatewayError("no_such_object", `No batch found with id '${id.slice(0, 100)}'.`, {
      field: "id",
    });
  }

  return {
    files,
    find,
    isFolderRight: marker.isRight,
    checkFolder: marker.check,
    runner: {
      ...runner,
      async start(isFirst) {
        // The reason is in the log, and each request for files and batches gets an error.
        await marker.check().catch(() => undefined);
        if (isFirst) {
          if (marker.isRightNow()) {
            await files.tidy();
            await folder.sweep(records.isKnown);
          }
          await parts.ledger.lines.releaseLost(outside.now());
        }
        await runner.start(isFirst && parts.isAlone);
      },
      stop() {
        marker.close();
        return runner.stop();
      },
    },
    async create(caller, body, idempotencyKey) {
      const batch = await create(caller, askedOf(body, idempotencyKey), inner);
      runner.look();
      return batch;
    },
    list: (workspace, page) => records.batches(workspace, page),
    async cancel(workspace, id) {
      await find(workspace, id);
      const isNow = await records.cancel(id, outside.now());
      const batch = await find(workspace, id);
      if (!isNow && batch.status !== "cancelling")
        throw new GatewayError("conflict", `Cannot cancel a batch with status '${batch.status}'.`, {
          field: "id",
        });
      runner.look();
      return batch;
    },
  };
}
