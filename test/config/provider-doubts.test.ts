/**
 * Provider options that the bundled plugins themselves refuse or question: URLs and files.
 */
import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { PLUGINS } from "../../plugins/index";
import { formatProblem, loadConfig } from "../../src/config/load";
import { realOutside } from "../../src/network/real-outside";
import { createHost } from "../../src/upstream/host";
import { temporaryFolder } from "../serving";

async function told(provider: string, model = "m"): Promise<string> {
  using folder = temporaryFolder({
    "gateway.yaml": `providers:\n  a: ${provider}\nmodels: { ${model}: { routes: [ { provider: a } ] } }\n`,
  });
  writeFileSync(join(folder.path, "key.json"), "{}");
  const loaded = await loadConfig({
    file: "gateway.yaml",
    folder: folder.path,
    environment: {},
    host: () => createHost(realOutside),
    bundled: PLUGINS,
    now: realOutside.now(),
  });
  return (loaded.ok ? loaded.notes : loaded.problems)
    .map(formatProblem)
    .join("\n")
    .replaceAll(folder.path, "FOLDER");
}

describe("a URL", () => {
  test("without http:// is refused, saying so", async () => {
    expect(await told('{ plugin: openai, base_url: "127.0.0.1:9101/v1" }')).toBe(
      'gateway.yaml:2:34: providers.a.base_url: expected a URL that starts with http:// or https://, without user and #, got "127.0.0.1:9101/v1"',
    );
  });

  test("without a path gets a note if the plugin adds none", async () => {
    const doubt = "the URL has no path; most servers of this API need one, such as /v1";
    for (const url of ["https://proxy.test", "https://proxy.test/"])
      expect(await told(`{ plugin: openrouter, api_key: k, base_url: "${url}" }`)).toContain(doubt);
    for (const plugin of ["openai", "vllm"])
      expect(await told(`{ plugin: ${plugin}, base_url: "http://127.0.0.1:9101" }`)).toBe("");
  });
});

describe("a file that an option names", () => {
  test("must exist", async () => {
    expect(await told("{ plugin: vertex, credentials: ./nowhere/key.json }")).toContain(
      'providers.a.credentials: the file "./nowhere/key.json" cannot be read',
    );
    expect(await told('{ plugin: vertex, credentials: \'{"type": "service_account"}\' }')).toBe("");
  });

  test("is not shown if it may be the secret itself", async () => {
    const words = await told("{ plugin: vertex, credentials: c2VjcmV0 }");
    expect(words).toContain("neither JSON nor the path");
    expect(words).not.toContain("c2VjcmV0");
  });
});
