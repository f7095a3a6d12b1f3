/**
 * `bun run docs`: writes the generated tables of docs/ between the marks that name them; a test fails while they are out of date.
 * To add a table, add a line to TABLES and a pair of marks to a page: `<!-- bun run docs: NAME -->` and `<!-- end -->`.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  answerHeadersTable,
  dialectsTable,
  errorCodesTable,
  exitCodesTable,
  modelsTable,
  optionsTables,
  policiesTable,
  routingFileTables,
  wiresTable,
} from "./docs-tables";
import { PACKAGES_FILE, packagesText } from "./packages";
import { PLUGIN_TYPES, pluginTypes } from "./plugin-types";

const FOLDER = join(import.meta.dir, "../docs");

const TABLES: Readonly<Record<string, () => string>> = {
  "every key": routingFileTables,
  "options of each plugin": optionsTables,
  "models in the catalogue": modelsTable,
  "error codes": errorCodesTable,
  "answer headers": answerHeadersTable,
  "exit codes": exitCodesTable,
  policies: policiesTable,
  dialects: dialectsTable,
  wires: wiresTable,
};

const MARKS = /<!-- bun run docs: ([a-z ]+) -->\n[\s\S]*?<!-- end -->/g;

/** Each page by its file's name: as it is now, and with up-to-date tables (`right`). */
export function pages(): ReadonlyMap<string, { readonly now: string; readonly right: string }> {
  const names = readdirSync(FOLDER).filter((name) => name.endsWith(".md"));
  return new Map(
    names.sort().map((name) => {
      const now = readFileSync(join(FOLDER, name), "utf8");
      const right = now.replace(MARKS, (_, table: string) => {
        const make = TABLES[table];
        if (make === undefined) throw new Error(`docs/${name}: no table is called "${table}"`);
        return `<!-- bun run docs: ${table} -->\n\n${make()}\n\n<!-- end -->`;
      });
      return [name, { now, right }];
    }),
  );
}

if (import.meta.main) {
  for (const [name, { now, right }] of pages()) {
    if (now === right) continue;
    writeFileSync(join(FOLDER, name), right);
    console.log(`docs/${name}: written`);
  }
  writeFileSync(PLUGIN_TYPES, pluginTypes());
  writeFileSync(PACKAGES_FILE, await packagesText());
}
