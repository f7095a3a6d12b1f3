/**
 * Any number of inputs through the gateway, with only the limits of plugin and catalogue: each gets its own vector, in as few calls as the
 * vendor allows. Rows of plugins/openai-hosts.ts have this in their own test.
 */
import { describe, expect, test } from "bun:test";
import { openGateway } from "../gateway";
import type { Vendor } from "./conformance";
import { createNetwork } from "./conformance/network";
import { AZURE_KEY, azureVendor, RESOURCE } from "./vendors/azure";
import { ollamaVendor } from "./vendors/ollama";
import { TEI_KEY, teiVendor } from "./vendors/tei";

const VENDORS: readonly (readonly [
  string,
  options: string,
  model: string,
  vendor: Vendor,
  inputsMax: number,
])[] = [
  ["ollama", "", "nomic-embed-text", ollamaVendor("nomic-embed-text"), 2048],
  ["tei", `, api_key: ${TEI_KEY}`, "BAAI/bge-large-en-v1.5", teiVendor(), 32],
  [
    "azure",
    `, base_url: "${RESOURCE}", api_key: ${AZURE_KEY}`,
    "text-embedding-3-small",
    azureVendor("text-embedding-3-small"),
    2048,
  ],
];

describe.each(VENDORS)("%s", (plugin, options, model, vendor, inputsMax) => {
  test("of 1, 2, 96, 97, 100, 101 and 2048 inputs each has its own vector", async () => {
    const network = createNetwork(vendor.fetch);
    await using gateway = await openGateway({
      yaml: `
providers: { there: { plugin: ${plugin}${options} } }
space_probe: false
models: { ${JSON.stringify(model)}: { routes: [ { provider: there } ], prompts: false } }
`,
      outside: { fetch: network.fetch },
    });
    for (const count of [1, 2, 96, 97, 100, 101, 2048]) {
      const before = network.requests.length;
      const input = Array.from({ length: count }, (_, place) => `text ${count} ${place}`);
      const sent = await gateway.post({ model, input });
      expect(sent.status).toBe(200);
      const data: { embedding: number[] }[] = Object(sent.json).data;
      expect(data).toHaveLength(count);
      for (const [place, text] of input.entries())
        expect(data[place]?.embedding[0]).toBeCloseTo(vendor.vectorOf(text)[0] ?? 0, 5);
      expect(network.requests.length - before).toBe(Math.ceil(count / inputsMax));
    }
  });
});
