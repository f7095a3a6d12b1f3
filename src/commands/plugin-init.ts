/**
 * `embedgate plugin init FILE`: writes a plugin that runs as it is, and the types of the plugin contract beside it, so that an editor completes and
 * checks it without a clone of this repository. Existing files are not overwritten.
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { GatewayError } from "../domain/errors";
import { WrongUsage } from "../terminal/wrong-usage";
import start from "./plugin-start/plugin.txt" with { type: "text" };
import types from "./plugin-start/types.txt" with { type: "text" };

const TYPES_FILE = "embedgate-plugin.d.ts";

export async function initPlugin(file: string): Promise<number> {
  if (!/\.[mc]?ts$/.test(file) || file.endsWith(".d.ts"))
    throw new WrongUsage(`plugin init: expected a TypeScript file such as in-house.ts, got ${file}.`);
  if (existsSync(file))
    throw new GatewayError("invalid", `${file} exists already: name another file, or move it away.`);
  const folder = dirname(file);
  const id = basename(file)
    .replace(/\.[mc]?ts$/, "")
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replace(/^[^a-z]+/, "")
    .replace(/-$/, "");
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, start.replaceAll("NAME_ID", id || "my-plugin").replaceAll("NAME", file));
  // Always this executable's types: older ones would check against another contract.
  writeFileSync(join(folder, TYPES_FILE), types);
  const path = /^[./]/.test(file) ? file : `./${file}`;
  console.log(
    [
      `Wrote ${file} and its types, ${join(folder, TYPES_FILE)}.`,
      "",
      "In the routing file:",
      "",
      "  providers:",
      `    ${id || "my-plugin"}: { plugin: ${path}, base_url: "http://127.0.0.1:8000" }`,
      "",
      `Test it: embedgate plugin test ${file} --option base_url=http://127.0.0.1:8000 --model MODEL`,
      "Types of options and replies: npm install --save-dev @sinclair/typebox",
    ].join("\n"),
  );
  return 0;
}
