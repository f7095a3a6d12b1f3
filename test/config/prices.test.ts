/** What `check` says about models without a price if the file lets workspaces pay. */
import { expect, test } from "bun:test";
import { PLUGINS } from "../../plugins/index";
import { loadConfig } from "../../src/config/load";
import { realOutside } from "../../src/network/real-outside";
import { createHost } from "../../src/upstream/host";
import { makeFolder } from "./loading";

const YAML = `
providers:
  wire: { plugin: openai, base_url: "http://upstream/v1" }
  inside: { plugin: local }
models:
  unpriced: { routes: [ { provider: wire } ] }
  free: { routes: [ { provider: wire } ], price: 0 }
  priced: { routes: [ { provider: wire } ], price: 0.02 }
  text-embedding-3-small: { routes: [ { provider: wire } ] }
  second-name: { alias_of: unpriced }
  any/*: { routes: [ { provider: wire } ] }
  all-MiniLM-L6-v2: { routes: [ { provider: inside } ] }
  chat: { embeddings: false }
`;

async function noted(yaml: string): Promise<readonly string[]> {
  using folder = makeFolder();
  folder.write("gateway.yaml", yaml);
  const host = () => createHost(realOutside);
  const loaded = await loadConfig({
    file: "gateway.yaml",
    folder: folder.path,
    environment: {},
    now: realOutside.now(),
    host,
    bundled: PLUGINS,
  });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  return loaded.notes.filter(({ message }) => message.includes("price_unknown")).map(({ path }) => path);
}

test.each([
  "workspace_defaults: { credits: 5 }",
  "workspace_defaults: { cap_usd_per_day: 5 }",
  "workspace_defaults: { cap_usd_per_month: 5 }",
  "money: { markup: 2 }",
])("each is noted, patterns too: %s", async (pays) => {
  expect(await noted(`${YAML}${pays}\n`)).toEqual(["models.unpriced", "models.any/*"]);
});

test.each([
  "",
  "workspace_defaults: { credits: unlimited }",
  "workspace_defaults: { credits: 5 }\nmoney: { unpriced: allow }",
])("none is noted: %p", async (more) => {
  expect(await noted(`${YAML}${more}\n`)).toEqual([]);
});
