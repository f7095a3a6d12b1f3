/**
 * The files of batches: uploaded, listed, read in parts, deleted. A file belongs to a workspace; for others it does not exist. Contents are
 * written to the disk as they arrive.
 */

import type { BatchRecords, FileRecord, PageOf } from "../books/batch-records";
import type { ConfiguredFiles } from "../config/gateway-config";
import { refuseControls } from "../domain/control-characters";
import { GatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";
import type { Folder, Writing } from "./folder";
import { boundaryOf, readForm } from "./multipart";

export interface Files {
  /** @param body read as it arrives @throws GatewayError invalid | wrong_media_type | too_large */
  upload(workspace: string, contentType: string | null, body: AsyncIterable<Uint8Array>): Promise<FileRecord>;
  /** Makes a new file, written block by block. */
  make(about: MakeFile, write: (file: Writing) => Promise<void>): Promise<FileRecord>;
  list(workspace: string, purpose: string | undefined, page: PageOf): Promise<readonly FileRecord[]>;
  /** @throws GatewayError no_such_object */
  find(workspace: string, id: string): Promise<FileRecord>;
  read(file: FileRecord, from: number, to: number): ReadableStream<Uint8Array>;
  /** @throws GatewayError no_such_object | conflict */
  remove(workspace: string, id: string): Promise<void>;
  /** Deletes what has expired. */
  tidy(): Promise<void>;
}

export interface MakeFile {
  readonly id: string;
  readonly workspace: string;
  readonly filename: string;
  readonly purpose: FileRecord["purpose"];
  readonly expiresAfterMs?: number | undefined;
}

export interface FilesParts {
  readonly records: BatchRecords;
  readonly folder: Folder;
  readonly limits: () => ConfiguredFiles;
  readonly outside: Pick<Outside, "now" | "randomBytes" | "log">;
}

const FILENAME_MAX = 512;
const MB = 2 ** 20;

/** Ids begin with the time, so that the order of ids is the order of creation. */
export function newId(prefix: string, { now, randomBytes }: Pick<Outside, "now" | "randomBytes">): string {
  return `${prefix}${now().toString(16).padStart(12, "0")}${randomBytes(10).toHex()}`;
}

export function openFiles({ records, folder, limits, outside }: FilesParts): Files {
  const put = async (about: MakeFile, { bytes }: Writing) => {
    const created_at = outside.now();
    const file: FileRecord = {
      id: about.id,
      workspace: about.workspace,
      filename: about.filename,
      purpose: about.purpose,
      bytes,
      created_at,
      expires_at: created_at + (about.expiresAfterMs ?? limits().expireAfterMs),
    };
    await records.putFile(file);
    return file;
  };

  async function make(about: MakeFile, write: (file: Writing) => Promise<void>): Promise<FileRecord> {
    const writing = await folder.write(about.id);
    try {
      await write(writing);
      await writing.finish();
    } catch (thrown) {
      await writing.drop();
      throw thrown;
    }
    return put(about, writing);
  }

  async function find(workspace: string, id: string): Promise<FileRecord> {
    const file = await records.file(id, workspace, outside.now());
    if (file) return file;
    throw new GatewayError("no_such_object", `No such File object: ${id.slice(0, 100)}`, { field: "id" });
  }

  async function tidy(): Promise<void> {
    for (const id of await records.takeExpired(outside.now())) await folder.remove(id);
  }

  return {
    make,
    find,
    tidy,
    async upload(workspace, contentType, body) {
      const boundary = boundaryOf(contentType);
      await tidy();
      const { fileMax, workspaceMax } = limits();
      const left = workspaceMax - (await records.bytesOf(workspace));
      const id = newId("file-", outside);
      const fields = new Map<string, string>();
      let filename: string | undefined;
      const writing = await folder.write(id);
      try {
        await readForm(body, boundary, {
          field: (name, value) => fields.set(name, value),
          async file(name, said) {
            if (name !== "file")
              throw invalid(name, "is not a field of an upload; send the file in the field 'file'.");
            filename = said;
          },
          async block(bytes) {
            const size = writing.bytes + bytes.length;
            if (size > fileMax)
              throw new GatewayError(
                "too_large",
                `The file is larger than ${fileMax / MB} MB (files.max_file_mb).`,
              );
            if (size > left)
              throw new GatewayError(
                "too_large",
                `The workspace's files would exceed ${workspaceMax / MB} MB (files.max_workspace_mb): delete some files.`,
              );
            await writing.add(bytes);
          },
        });
        if (filename === undefined) throw invalid("file", "is missing: send the file in this field.");
        const said = fieldsOf(fields, filename);
        await writing.finish();
        return await put({ id, workspace, purpose: "batch", ...said }, writing);
      } catch (thrown) {
        await writing.drop();
        throw thrown;
      }
    },
    list: (workspace, purpose, page) => records.files(workspace, purpose, outside.now(), page),
    read: ({ id }, from, to) => folder.read(id, from, to),
    async remove(workspace, id) {
      await find(workspace, id);
      const reader = await records.removeFile(id);
      if (reader !== undefined)
        throw new GatewayError(
          "conflict",
          `The batch ${reader} still uses the file: cancel the batch, or wait until it ends.`,
          { field: "id" },
        );
      await folder.remove(id);
    },
  };
}

const EXPIRES_ANCHOR = "expires_after[anchor]";
const EXPIRES_SECONDS = "expires_after[seconds]";

function fieldsOf(
  fields: ReadonlyMap<string, string>,
  filename: string,
): Pick<MakeFile, "filename" | "expiresAfterMs"> {
  const purpose = fields.get("purpose");
  if (purpose === undefined) throw invalid("purpose", 'is missing: it must be "batch".');
  if (purpose !== "batch")
    throw invalid(
      "purpose",
      `must be "batch", not "${purpose.slice(0, 50)}": the gateway stores files only for batches.`,
    );
  for (const name of fields.keys())
    if (!["purpose", EXPIRES_ANCHOR, EXPIRES_SECONDS].includes(name))
      throw invalid(name.slice(0, 100), "is not a field of an upload.");
  if (filename.length > FILENAME_MAX)
    throw invalid("file", `has a name of more than ${FILENAME_MAX} characters.`);
  refuseControls("file", filename);
  const anchor = fields.get(EXPIRES_ANCHOR);
  const seconds = fields.get(EXPIRES_SECONDS);
  if (anchor === undefined && seconds === undefined) return { filename };
  if (anchor !== "created_at") throw invalid(EXPIRES_ANCHOR, 'must be "created_at".');
  return { filename, expiresAfterMs: expiryOf(Number(seconds), EXPIRES_SECONDS) };
}

const EXPIRY_SECONDS = { least: 3_600, most: 2_592_000 } as const;

/** @returns milliseconds @throws GatewayError invalid */
export function expiryOf(seconds: number, field: string): number {
  const { least, most } = EXPIRY_SECONDS;
  if (Number.isInteger(seconds) && seconds >= least && seconds <= most) return seconds * 1000;
  throw invalid(field, `must be a whole number from ${least} to ${most}.`);
}

export const invalid = (field: string, what: string) =>
  new GatewayError("invalid", `'${field}' ${what}`, { field });
