/** How many fetches a routing file may come to at once: with more than Bun's own 256 the executable starts itself over. */
import { expect, test } from "bun:test";
import { fetchesAtOnce } from "../../src/serving/fetch-limit";
import { openGateway } from "../gateway";

const openai = (words: string) => `{ plugin: openai, api_key: sk-a${words} }`;

test.each([
  ["the model inside", "local: { plugin: local }", 0],
  ["one provider", `a: ${openai("")}`, 64],
  ["two providers", `a: ${openai("")}\n  b: ${openai(", concurrency: 236")}`, 300],
  ["providers without TLS", `a: ${openai(', base_url: "http://10.0.0.5:8000", concurrency: 9000')}`, 0],
  [
    "a provider at an address with TLS",
    `a: ${openai(', base_url: "https://proxy.test/v1", concurrency: 7')}`,
    7,
  ],
])("%s", async (_, providers, fetches) => {
  await using open = await openGateway({ yaml: `providers:\n  ${providers}\nmodels: {}\n` });
  expect(fetchesAtOnce(open.gateway.config())).toBe(fetches);
});
