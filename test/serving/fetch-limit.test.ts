/** The number of parallel fetches that a routing file needs: for more than Bun's own 256 the executable re-executes itself. */
import { expect, test } from "bun:test";
import { fetchesAtOnce } from "../../src/serving/fetch-limit";
import { openGateway } from "../gateway";

const openai = (words: string) => `{ plugin: openai, api_key: sk-a${words} }`;
const proxied = ', proxy: "http://proxy.test:3128"';
const http = ', base_url: "http://10.0.0.5:8000"';

test.each([
  ["the model inside", "local: { plugin: local }", { ALL_PROXY: "http://proxy.test" }, 0],
  ["providers with and without TLS", `a: ${openai(", concurrency: 9000")}\n  b: ${openai(http)}`, {}, 0],
  [
    "providers by way of a proxy of their own",
    `a: ${openai(proxied)}\n  b: ${openai(`${http}${proxied}, concurrency: 236`)}\n  c: ${openai("")}`,
    {},
    300,
  ],
  [
    "a proxy for all that is with TLS",
    `a: ${openai("")}\n  b: ${openai(http)}`,
    { HTTPS_PROXY: "http://proxy.test" },
    64,
  ],
  [
    "a proxy for all that is without",
    `a: ${openai(", concurrency: 7")}\n  b: ${openai(http)}`,
    { http_proxy: "http://proxy.test" },
    64,
  ],
  ["checks that are turned off", `a: ${openai("")}`, { NODE_TLS_REJECT_UNAUTHORIZED: "0" }, 64],
])("%s", async (_, providers, environment, fetches) => {
  await using open = await openGateway({ yaml: `providers:\n  ${providers}\nmodels: {}\n` });
  expect(fetchesAtOnce(open.gateway.config(), environment)).toBe(fetches);
});
