/**
 * The external plugin of docs/plugins.md, read from the page itself, and a made-up service for it.
 * The tests run exactly what a user copies.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { exactVector } from "../plugins/fake";

const page = readFileSync(join(import.meta.dir, "../docs/plugins.md"), "utf8");

/** The block of the page that starts with the plugin's first comment. */
export const IN_HOUSE_PLUGIN =
  /```ts[^\n]*\n(\/\*\* Our own embeddings service[\s\S]*?)```/.exec(page)?.[1] ?? "";

/** POST /v2/vectors {texts, model} → {vectors, tokens}, one token per word. Stops with its scope. */
export function inHouseServer() {
  let asked = 0;
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      asked += 1;
      if (new URL(request.url).pathname !== "/v2/vectors")
        return new Response("no such path", { status: 404 });
      const { texts }: { texts: string[] } = await request.json();
      return Response.json({
        vectors: texts.map((text) => Array.from(exactVector(text, 16))),
        tokens: texts.reduce((sum, text) => sum + text.split(/\s+/).length, 0),
      });
    },
  });
  return Object.assign(server, { asked: () => asked });
}
