/**
 * What a path of the Admin API is: its URL, its input and output (one schema for type, check and document), and its work.
 * A new path is an `adminPath` in its resource's file, and a line of paths.ts where the file is new.
 */
import {
  type Static,
  type TObject,
  type TProperties,
  type TSchema,
  type TUndefined,
  Type,
} from "@sinclair/typebox";
import type { AdminParts } from "./parts";
import { bodyAs, queryAs } from "./reading";

export type AdminMethod = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** A schema, and its name in the OpenAPI document. It has an example. */
export interface Named<Schema extends TSchema = TSchema> {
  readonly name: string;
  readonly schema: Schema;
}

/** The actor in the audit trail: a key's id, or "open mode". */
export interface Operator {
  readonly actor: string;
  /** Null in open mode. */
  readonly keyId: string | null;
  readonly by: "open" | "key" | "session";
}

/** A request as the door passes it on: nothing of it is checked yet. */
export interface AdminQuestion {
  readonly request: Request;
  readonly params: Readonly<Record<string, string>>;
  readonly search: URLSearchParams;
  /** Reads and parses the body. @throws GatewayError */
  readonly body: () => Promise<unknown>;
  readonly operator: Operator;
}

export interface AdminAnswer {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** A checked request. */
export interface Asked<Query, Body> {
  /** The values of the path's `{names}`. */
  readonly param: (name: string) => string;
  readonly query: Query;
  readonly body: Body;
  readonly operator: Operator;
  readonly request: Request;
  /** Of the answer. */
  setHeader(name: string, value: string): void;
}

export interface AdminPath {
  readonly method: AdminMethod;
  readonly path: string;
  readonly operationId: string;
  readonly summary: string;
  readonly description: string | undefined;
  readonly query: TProperties;
  readonly request: Named | undefined;
  readonly answer: Named;
  readonly status: 200 | 201;
  /** `format=csv` returns the same as a table. */
  readonly hasCsv: boolean;
  /** @throws GatewayError */
  does(question: AdminQuestion, parts: AdminParts): Promise<AdminAnswer>;
}

interface Definition<Query extends TProperties, Body extends TSchema, Answer extends TSchema> {
  readonly method: AdminMethod;
  /** After /admin/v1. */
  readonly path: string;
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly query: Query;
  /** NO_BODY if there is none. */
  readonly request: Named<Body>;
  readonly answer: Named<Answer>;
  /** 201 if something was created. */
  readonly status?: 201;
  readonly csv?: (answer: Static<Answer>) => string;
  readonly work: (
    asked: Asked<Static<TObject<Query>>, Static<Body>>,
    parts: AdminParts,
  ) => Static<Answer> | Promise<Static<Answer>>;
}

export const ADMIN_PREFIX = "/admin/v1";

const FORMAT = {
  format: Type.Optional(
    Type.Union([Type.Literal("json"), Type.Literal("csv")], {
      default: "json",
      description: "csv: the same as a table.",
    }),
  ),
};

export const NO_BODY: Named<TUndefined> = { name: "", schema: Type.Undefined() };

export function adminPath<Query extends TProperties, Body extends TSchema, Answer extends TSchema>(
  definition: Definition<Query, Body, Answer>,
): AdminPath {
  const { method, operationId, summary, description, request, answer, csv, work } = definition;
  const status = definition.status ?? 200;
  const query = { ...definition.query, ...(csv && FORMAT) };
  const readQuery = queryAs(definition.query, csv ? FORMAT : {});
  const readBody = bodyAs(request.schema);
  const hasBody = request.name !== NO_BODY.name;
  return {
    method,
    path: `${ADMIN_PREFIX}${definition.path}`,
    operationId,
    summary,
    description,
    query,
    request: hasBody ? request : undefined,
    answer,
    status,
    hasCsv: csv !== undefined,
    async does({ request: sent, params, search, body, operator }, parts) {
      const headers: Record<string, string> = { "cache-control": "no-store" };
      const { values, format } = readQuery(search);
      const said = await work(
        {
          param: (name) => params[name] ?? "",
          query: values,
          body: readBody(hasBody ? await body() : undefined),
          operator,
          request: sent,
          setHeader(name, value) {
            headers[name] = value;
          },
        },
        parts,
      );
      if (csv && format === "csv")
        return {
          status,
          body: csv(said),
          headers: { ...headers, "content-type": "text/csv; charset=utf-8" },
        };
      return { status, body: JSON.stringify(said), headers };
    },
  };
}
