/**
 * Checks a request's query and body by their schema; an error names the field. Query values are text, so they are converted to numbers and
 * lists first. A further kind of value in a query is a branch of `valueIn`.
 */
import { type Static, type TObject, type TProperties, type TSchema, Type } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import { explainBreach } from "../../dialects/explain";
import { GatewayError } from "../../domain/errors";
import { onFirstUse } from "../../domain/first-use";
import { nearestName } from "../../domain/nearest";

interface Read<Query extends TProperties> {
  readonly values: Static<TObject<Query>>;
  readonly format: string | undefined;
}

/** @param more parameters that other code reads */
export function queryAs<Query extends TProperties>(
  own: Query,
  more: TProperties,
): (search: URLSearchParams) => Read<Query> {
  const properties: TProperties = { ...own, ...more };
  const checkOwn = onFirstUse(() => TypeCompiler.Compile(Type.Object(own)));
  const checkAll = onFirstUse(() => TypeCompiler.Compile(Type.Object(properties)));
  return (search) => {
    const values: Record<string, unknown> = {};
    for (const name of new Set(search.keys())) {
      const schema = Object.hasOwn(properties, name) ? properties[name] : undefined;
      if (schema === undefined) throw unknownParameter(name, Object.keys(properties));
      values[name] = valueIn(schema, name, search.getAll(name));
    }
    if (!checkAll().Check(values)) {
      const { field, message } = explainBreach(checkAll(), values);
      throw new GatewayError("invalid", message, { field });
    }
    const { format } = values;
    if (!checkOwn().Check(values)) throw new GatewayError("invalid", "The query is not as described.");
    return { values, format: typeof format === "string" ? format : undefined };
  };
}

function unknownParameter(name: string, known: readonly string[]): GatewayError {
  const field = name.slice(0, 100);
  const near = nearestName(field, known);
  const hint =
    near !== undefined
      ? `did you mean '${near}'?`
      : known.length === 0
        ? "this path takes none."
        : `known: ${known.join(", ")}.`;
  return new GatewayError("invalid", `Unknown query parameter '${field}': ${hint}`, { field });
}

function valueIn(schema: TSchema, name: string, texts: readonly string[]): unknown {
  // For lists of words, which contain no comma; a caller's own text may.
  if (schema.type === "array")
    return schema.items?.type === "string" ? texts : texts.flatMap((text) => text.split(","));
  const [text = "", another] = texts;
  if (another !== undefined)
    throw new GatewayError("invalid", `The query parameter '${name}' was given more than once.`, {
      field: name,
    });
  if (schema.type === "integer" && /^-?\d{1,15}$/.test(text)) return Number(text);
  if (schema.type === "boolean" && /^(?:true|false)$/.test(text)) return text === "true";
  return text;
}

/** @throws GatewayError invalid, with the field's name */
export function bodyAs<Body extends TSchema>(schema: Body): (body: unknown) => Static<Body> {
  const check = onFirstUse(() => TypeCompiler.Compile(schema));
  return (body) => {
    if (check().Check(body)) return body;
    const { field, message } = explainBreach(check(), body);
    throw new GatewayError("invalid", message, { field });
  };
}
