/**
 * The types that `embedgate plugin init` writes: the contract of src/plugin.ts as one file that works without a clone. Types from the domain are
 * written into it. `bun run docs` writes src/commands/plugin-start/types.txt; a test fails while it is out of date.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { KindGuard, type TSchema } from "@sinclair/typebox";
import { KnownFacts, LongInput } from "../src/domain/facts";
import { TASKS } from "../src/domain/task-words";

const ROOT = join(import.meta.dir, "..");
export const PLUGIN_TYPES = join(ROOT, "src/commands/plugin-start/types.txt");

export function pluginTypes(): string {
  const contract = readFileSync(join(ROOT, "src/plugin.ts"), "utf8")
    .replace(/^import type \{[^}]*\} from "\.\/domain\/[^"]*";\n/gm, "")
    .replace(/^export type \{[^}]*\} from "\.\/domain\/[^"]*";\n/gm, "");
  return [
    "// Written by 'embedgate plugin init'. With the package @sinclair/typebox installed, options and replies have their types too.",
    'declare module "embedgate/plugin" {',
    ...[
      contract.trimEnd(),
      "/** What to do with an input that is longer than the model takes. */",
      `export type LongInput = ${written(LongInput)};`,
      "/** What an embedding is for. */",
      `export type Task = ${TASKS.map((task) => JSON.stringify(task)).join(" | ")};`,
      "/** What is known of a model; each source says what it knows. */",
      `export interface KnownFacts ${written(KnownFacts)}`,
    ]
      .join("\n\n")
      .split("\n")
      .map((line) => (line === "" ? "" : `  ${line}`)),
    "}",
    "",
  ].join("\n");
}

/** A schema as a TypeScript type. */
function written(schema: TSchema): string {
  if (KindGuard.IsUnion(schema)) return schema.anyOf.map(written).join(" | ");
  if (KindGuard.IsLiteral(schema)) return JSON.stringify(schema.const);
  if (KindGuard.IsArray(schema)) return `readonly (${written(schema.items)})[]`;
  if (KindGuard.IsObject(schema)) {
    const members = Object.entries(schema.properties).map(([name, member]) => {
      const about = typeof member.description === "string" ? `  /** ${member.description} */\n` : "";
      const optional = schema.required?.includes(name) ? "" : "?";
      return `${about}  readonly ${name}${optional}: ${written(member).replaceAll("\n", "\n  ")};`;
    });
    return `{\n${members.join("\n")}\n}`;
  }
  if (KindGuard.IsInteger(schema) || KindGuard.IsNumber(schema)) return "number";
  if (KindGuard.IsBoolean(schema)) return "boolean";
  return "string";
}
