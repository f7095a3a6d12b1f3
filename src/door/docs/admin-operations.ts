/**
 * The published document's entries for the Admin API's paths, generated from the paths themselves (src/admin/api/), so that nothing is written
 * twice. What all its answers have in common is a line here.
 */
import { OptionalKind, type TSchema } from "@sinclair/typebox";
import type { AdminPath } from "../../admin/api/admin-path";
import { ADMIN_PATHS, ADMIN_TAG } from "../../admin/api/paths";

/** @param answers the document's answers for a status */
export interface AnswerWords {
  readonly headers: object;
  fails(description: string): object;
  json(schema: string): object;
}

const CSV = { "text/csv": { schema: { type: "string" as const } } };

function operationOf(path: AdminPath, { headers, fails, json }: AnswerWords): object {
  const names = [...path.path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name);
  return {
    operationId: path.operationId,
    tags: [ADMIN_TAG.name],
    summary: path.summary,
    ...(path.description !== undefined && { description: path.description }),
    security: [{ bearer: [] }, { session: [] }],
    parameters: [...names.map(inPath), ...Object.entries(path.query).map(inQuery)],
    ...(path.request && { requestBody: { required: true, content: json(path.request.name) } }),
    responses: {
      [path.status]: {
        description: path.status === 201 ? "It was made." : "The answer.",
        headers,
        content: { ...json(path.answer.name), ...(path.hasCsv && CSV) },
      },
      400: fails("A parameter or the body is wrong; the field is named."),
      401: fails("No key and no session, or one that is unknown, revoked or rotated out."),
      403: fails(
        "The key is not an admin key; a change by cookie came without its CSRF token; or another origin's web page asked, or, without keys, another machine.",
      ),
      ...(names.length > 0 && { 404: fails("The object does not exist.") }),
      405: fails("Another method."),
      ...(path.request && {
        408: fails("The body did not come to its end within a minute."),
        413: fails("A body of more than 1 MB."),
        415: fails("Another content type than JSON, or none."),
      }),
      429: fails("Of a key that is no admin key: its workspace's requests a minute are used up."),
      431: fails("An address and headers of more than 16 KB."),
      503: fails("The database is not available now."),
    },
  };
}

const inPath = (name: string) => ({
  name,
  in: "path",
  required: true,
  description: DESCRIPTIONS[name] ?? "Its name; a slash in it is escaped.",
  schema: { type: "string" as const, minLength: 1 },
});

const DESCRIPTIONS: Readonly<Record<string, string>> = {
  model: "The model's id; slashes may be escaped or not.",
  key: "A key's id.",
  month: "Such as 2026-11.",
  request: "A request's id, as x-request-id told it.",
};

function inQuery([name, schema]: readonly [string, TSchema]): object {
  const { description, ...rest } = schema;
  const isList = schema.type === "array";
  const isOfWords = isList && schema.items?.type !== "string";
  return {
    name,
    in: "query",
    required: !(OptionalKind in schema),
    ...(description !== undefined && { description }),
    ...(isList && { style: "form", explode: !isOfWords }),
    schema: rest,
  };
}

/** By path, then by method. */
export function adminOperations(words: AnswerWords): Readonly<Record<string, object>> {
  const paths: Record<string, object> = {};
  for (const path of ADMIN_PATHS)
    paths[path.path] = { ...paths[path.path], [path.method.toLowerCase()]: operationOf(path, words) };
  return paths;
}
