/**
 * The tables of docs/ that are generated from the source: the routing file's schema, the plugins' options, the catalogue, the dialects, the
 * wires. Change the texts of a table at the descriptions in the source, and its layout here.
 */
import { KindGuard, type TObject, type TSchema } from "@sinclair/typebox";
import { PLUGINS } from "../plugins/index";
import { EXIT_CODES } from "../src/commands/flags/line";
import { CATALOGUE } from "../src/config/catalogue";
import { RoutingFile } from "../src/config/schema";
import { DIALECTS } from "../src/dialects/records";
import { WIRES } from "../src/dialects/wires";
import { Policies } from "../src/domain/policies";
import { ERROR_CODES } from "../src/door/docs/error-codes";
import { ANSWER_HEADERS } from "../src/door/docs/headers";
import { realOutside } from "../src/network/real-outside";
import { createHost } from "../src/upstream/host";

type Row = readonly string[];

function table(head: Row, rows: readonly Row[]): string {
  const line = (cells: Row) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|").replaceAll("\n", " ")).join(" | ")} |`;
  return [line(head), `|${head.map(() => "---").join("|")}|`, ...rows.map(line)].join("\n");
}

const code = (value: unknown) => `\`${typeof value === "string" ? value : JSON.stringify(value)}\``;
const count = (value: number) => value.toLocaleString("en-US");

/** A table for each section of the routing file with all its keys; a key that is itself a section has its own table. */
export function routingFileTables(): string {
  const blocks: string[] = [];
  const section = (place: string, schema: TObject): void => {
    const depth = place === "" ? "The file" : code(place);
    blocks.push(`### ${depth}\n\n${schema.description ?? ""}`.trimEnd());
    const inner: [string, TObject][] = [];
    const rows = Object.entries(schema.properties).map(([name, property]): Row => {
      const path = place === "" ? name : `${place}.${name}`;
      const found = sectionIn(property);
      if (found !== undefined && isSection(found.schema))
        inner.push([`${path}${found.suffix}`, found.schema]);
      return [
        code(name),
        writtenAs(property),
        property.default === undefined ? "" : code(property.default),
        meaning(property),
      ];
    });
    blocks.push(table(["key", "value", "default", "meaning"], rows));
    for (const [path, found] of inner) if (!path.endsWith("policies")) section(path, found);
  };
  section("", RoutingFile);
  return blocks.join("\n\n");
}

/** Whether the keys of an object have descriptions, and so need a table of their own. */
const isSection = ({ properties }: TObject) =>
  Object.values(properties).some((property) => meaning(property) !== "");

/** The object in a key's schema, and the suffix with which its keys are written. */
function sectionIn(schema: TSchema): { readonly schema: TObject; readonly suffix: string } | undefined {
  if (KindGuard.IsObject(schema)) return { schema, suffix: "" };
  if (KindGuard.IsUnion(schema)) return schema.anyOf.map(sectionIn).find((found) => found !== undefined);
  if (KindGuard.IsRecord(schema)) {
    const [value] = Object.values(schema.patternProperties);
    return value && KindGuard.IsObject(value) ? { schema: value, suffix: ".NAME" } : undefined;
  }
  if (KindGuard.IsArray(schema) && KindGuard.IsObject(schema.items))
    return { schema: schema.items, suffix: "[]" };
  return undefined;
}

function writtenAs(schema: TSchema): string {
  if (KindGuard.IsLiteral(schema)) return code(schema.const);
  if (KindGuard.IsBoolean(schema)) return "`true`, `false`";
  if (KindGuard.IsNull(schema)) return "`null`";
  if (KindGuard.IsInteger(schema) || KindGuard.IsNumber(schema)) return numberIn(schema);
  if (KindGuard.IsUnion(schema)) return [...new Set(schema.anyOf.map(writtenAs))].join(", ");
  if (KindGuard.IsArray(schema))
    return KindGuard.IsObject(schema.items) ? "list of sections" : `list of ${writtenAs(schema.items)}`;
  if (KindGuard.IsRecord(schema)) {
    const [value] = Object.values(schema.patternProperties);
    return value && KindGuard.IsObject(value) ? "a section for each name" : "`{ name: text }`";
  }
  if (KindGuard.IsObject(schema)) {
    return isSection(schema) ? "section" : `\`{ ${Object.keys(schema.properties).join(", ")} }\``;
  }
  return "text";
}

function numberIn(schema: TSchema): string {
  const kind = KindGuard.IsInteger(schema) ? "integer" : "number";
  const { minimum, exclusiveMinimum, maximum } = schema;
  const least =
    typeof minimum === "number"
      ? count(minimum)
      : typeof exclusiveMinimum === "number"
        ? `more than ${count(exclusiveMinimum)}`
        : undefined;
  if (least === undefined) return kind;
  return typeof maximum === "number" ? `${kind}, ${least} to ${count(maximum)}` : `${kind}, ${least} or more`;
}

const meaning = (schema: TSchema) => {
  const about: unknown = schema.description;
  return typeof about === "string" ? about : "";
};

/** The options of each built-in plugin: its own keys in a provider's entry. */
export function optionsTables(): string {
  const host = createHost(realOutside);
  return Object.entries(PLUGINS)
    .map(([id, plugin]) => {
      const provider = plugin(host);
      const { options } = provider;
      if (!KindGuard.IsObject(options)) throw new Error(`the options of ${id} are no object schema`);
      const rows = Object.entries(options.properties).map(
        ([name, schema]): Row => [
          code(name),
          writtenAs(schema),
          schema.default === undefined ? "" : code(schema.default),
          options.required?.includes(name) && schema.default === undefined ? "yes" : "",
          meaning(schema),
        ],
      );
      const fields = Object.keys(provider.fields ?? {});
      const words = provider.tasks === undefined ? "" : Object.keys(provider.tasks.words).join(", ");
      const facts = [
        provider.concurrency === undefined ? "" : `Calls at once: ${provider.concurrency}.`,
        words === "" ? "" : `Tasks: ${words}.`,
        fields.length === 0 ? "" : `Fields of its own: ${fields.map(code).join(", ")}.`,
      ].filter((fact) => fact !== "");
      return [
        `### ${code(id)}`,
        ...(facts.length === 0 ? [] : [facts.join(" ")]),
        rows.length === 0
          ? "It has no options."
          : table(["option", "value", "default", "required", "meaning"], rows),
      ].join("\n\n");
    })
    .join("\n\n");
}

/** A row for each model of the catalogue. */
export function modelsTable(): string {
  const rows = CATALOGUE.map(({ plugin, model, facts }): Row => {
    const sizes = facts.dimensions_allowed;
    const others =
      sizes === undefined
        ? ""
        : Array.isArray(sizes)
          ? ` (${sizes.join(", ")})`
          : ` (${sizes.min} to ${sizes.max})`;
    return [
      code(plugin),
      code(model),
      `${facts.dimensions ?? ""}${others}`,
      facts.max_input_tokens === undefined ? "" : count(facts.max_input_tokens),
      facts.max_inputs === undefined ? "" : count(facts.max_inputs),
      facts.max_call_tokens === undefined ? "" : count(facts.max_call_tokens),
      facts.price === undefined ? "" : String(facts.price),
      facts.end_of_life ?? "",
      facts.task_types?.length === 0 ? "none" : (facts.task_types ?? []).join(", "),
    ];
  });
  const head = [
    "plugin",
    "model",
    "dimensions",
    "tokens per input",
    "inputs per call",
    "tokens per call",
    "USD per million tokens",
    "end of life",
    "tasks",
  ];
  return table(head, rows);
}

export function errorCodesTable(): string {
  const rows = ERROR_CODES.map(
    ([status, name, happened, todo]): Row => [
      String(status),
      name === null ? "" : code(name),
      happened,
      todo,
    ],
  );
  return table(["status", "`code`", "what happened", "what to do"], rows);
}

export function answerHeadersTable(): string {
  const rows = ANSWER_HEADERS.map(({ name, when, says }): Row => [code(name), when, says]);
  return table(["header", "when", "what it says"], rows);
}

export function exitCodesTable(): string {
  return table(
    ["exit code", "meaning"],
    EXIT_CODES.map(([exit, meaning]): Row => [code(String(exit)), meaning]),
  );
}

export function policiesTable(): string {
  const rows = Object.entries(Policies.properties).map(
    ([name, schema]): Row => [code(name), writtenAs(schema), meaning(schema)],
  );
  return table(["policy", "values", "what it decides"], rows);
}

export function dialectsTable(): string {
  const records = Object.entries(DIALECTS);
  const rows = Object.keys(Policies.properties).map(
    (policy): Row => [
      code(policy),
      ...records.map(
        ([, policies]) =>
          Object.entries(policies).flatMap(([name, value]) => (name === policy ? [code(value)] : []))[0] ??
          "",
      ),
    ],
  );
  return table(["policy", ...records.map(([name]) => code(name))], rows);
}

/** The paths of every wire, by section of the OpenAPI document. */
export function wiresTable(): string {
  const rows = WIRES.flatMap(({ tag, paths }) =>
    paths
      .filter(({ isHidden }) => !isHidden)
      .map(
        ({ method, path, words, does }): Row => [
          tag.name,
          code(`${method} ${path}`),
          `${words.summary}${does === "tell anybody" ? " (no key needed)" : ""}`,
        ],
      ),
  );
  return table(["client", "path", "what it does"], rows);
}
