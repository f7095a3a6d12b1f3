/**
 * The routing file's schema as JSON Schema 2020-12, for editors and other tools: src/config/schema.ts, with the options
 * of each bundled plugin, and with variables wherever a value may be one.
 */
import type { TSchema } from "@sinclair/typebox";
import type { Host, Plugin } from "../plugin";
import { closedSchema } from "./check";
import { isObjectSchema } from "./provider-shape";
import { RoutingFile } from "./schema";
import { ProviderCommon } from "./schema-provider";

type Json = Readonly<Record<string, unknown>>;

/** `${NAME}` and `${NAME:-default}` may be used for numbers and booleans too. */
const VARIABLE = { type: "string", pattern: "^\\$\\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\\}$" };

export function fileSchemaOf(bundled: Readonly<Record<string, Plugin>>, host: Host): Json {
  const { properties, ...file } = plain(RoutingFile);
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "embedgate routing file",
    ...file,
    properties: { ...Object(properties), providers: providersSchema(bundled, host) },
  };
}

function providersSchema(bundled: Readonly<Record<string, Plugin>>, host: Host): Json {
  const { providers } = RoutingFile.properties;
  const { patternProperties: _, ...about } = plain(providers);
  const ids = Object.keys(bundled);
  const entry = {
    anyOf: [
      ...ids.map((id) => ofPlugin(id, bundled[id]?.(host).options)),
      // A plugin file has its own options.
      {
        ...plain(ProviderCommon),
        properties: { ...properties, plugin: { type: "string", pattern: "^[./]" } },
      },
    ],
  };
  return { ...about, additionalProperties: entry };
}

const properties = Object(plain(ProviderCommon).properties);

function ofPlugin(id: string, options: TSchema | undefined): Json {
  const own = isObjectSchema(options) ? plain(closedSchema(options)) : {};
  const required = Array.isArray(own.required) ? own.required : [];
  const defaults = Object.entries<Json>(Object(own.properties))
    .filter(([, { default: usual }]) => usual !== undefined)
    .map(([name]) => name);
  return {
    type: "object",
    title: id,
    additionalProperties: own.additionalProperties ?? true,
    required: ["plugin", ...required.filter((name) => !defaults.includes(name))],
    properties: { ...properties, ...Object(own.properties), plugin: { const: id } },
  };
}

/** Without TypeBox's own symbols; numbers and booleans may be variables. */
function plain(schema: TSchema): Json {
  const copy: Json = JSON.parse(JSON.stringify(schema));
  return Object(withVariables(copy));
}

function withVariables(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withVariables);
  if (typeof value !== "object" || value === null) return value;
  const copied: Json = Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, withVariables(inner)]),
  );
  if (!["integer", "number", "boolean"].includes(String(copied.type))) return copied;
  const { description, default: usual, ...kind } = copied;
  return {
    ...(description !== undefined && { description }),
    ...(usual !== undefined && { default: usual }),
    anyOf: [kind, VARIABLE],
  };
}
