/**
 * The routing file's `files`: the folder of batches' files, their size limits, and how long they are kept.
 * A new key is a line here with its description.
 */
import { type Static, Type } from "@sinclair/typebox";
import { closed } from "./schema-values";

export const FilesSection = Type.Object(
  {
    folder: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          "Folder of the files, relative to this file's folder; all gateways on one database need the same folder. Default: the database's path with -files; with PostgreSQL there is none, and without a folder there are no batches.",
      }),
    ),
    max_file_mb: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 10_240,
        default: 200,
        description: "Maximum size of an uploaded file, in MB.",
      }),
    ),
    max_workspace_mb: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 104_857_600,
        default: 10_240,
        description: "Maximum size of all files of a workspace, in MB, including results of batches.",
      }),
    ),
    expire_after_days: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 3_650,
        default: 30,
        description: "Days after which a file is deleted, unless its upload sets expires_after.",
      }),
    ),
  },
  { ...closed, description: "Files of batches (/v1/files, /v1/batches)." },
);

export type FilesSection = Static<typeof FilesSection>;
