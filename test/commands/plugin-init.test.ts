/**
 * `plugin init` as a user types it: the file passes `check` and the suite, and TypeScript checks it without this repository.
 */
import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PLUGIN_TYPES, pluginTypes } from "../../.ci/plugin-types";
import { exactVector } from "../../plugins/fake";
import { runCommand } from "../command-line";
import { temporaryFolder } from "../serving";

/** The service that the template calls: POST /embed {model, texts} → {vectors, tokens}. */
const startService = () =>
  Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const { texts }: { texts: string[] } = await request.json();
      return Response.json({
        vectors: texts.map((text) => [...exactVector(text, 16)]),
        tokens: texts.length,
      });
    },
  });

test("the types are the current contract's: otherwise run `bun run docs`", () => {
  expect(readFileSync(PLUGIN_TYPES, "utf8") === pluginTypes()).toBe(true);
});

test("the written file loads, passes the suite, and is not overwritten", async () => {
  using service = startService();
  using folder = temporaryFolder();
  const run = (...args: string[]) => runCommand(args, { folder: folder.path });
  const made = await run("plugin", "init", "own/My Service.ts");
  expect([made.code, made.out]).toEqual([
    0,
    expect.stringContaining("my-service: { plugin: ./own/My Service.ts"),
  ]);
  const tried = await run(
    "plugin",
    "test",
    "own/My Service.ts",
    "--option",
    `base_url=${service.url.origin}`,
    "--model",
    "m",
  );
  expect([tried.code, tried.out]).toEqual([0, expect.stringContaining(" 0 wrong")]);
  writeFileSync(
    join(folder.path, "gateway.yaml"),
    'providers: { p: { plugin: "./own/My Service.ts", base_url: "http://127.0.0.1:9" } }\nmodels: { m: { routes: [ { provider: p } ] } }\n',
  );
  expect((await run("check")).code).toBe(0);
  const again = await run("plugin", "init", "own/My Service.ts");
  expect([again.code, again.errors]).toEqual([1, expect.stringContaining("exists already")]);
  expect((await run("plugin", "init", "service.py")).code).toBe(2);
});

test("TypeScript knows its types, and finds errors in it", async () => {
  using folder = temporaryFolder();
  await runCommand(["plugin", "init", "own.ts"], { folder: folder.path });
  const file = join(folder.path, "own.ts");
  const root = join(import.meta.dir, "../..");
  const settings = {
    compilerOptions: {
      ...{ strict: true, noEmit: true, skipLibCheck: true, types: [], lib: ["esnext", "dom"] },
      ...{ module: "preserve", moduleResolution: "bundler", target: "esnext" },
      // As `npm install @sinclair/typebox` installs it.
      paths: { "@sinclair/typebox": [join(root, "node_modules/@sinclair/typebox")] },
    },
    include: ["*.ts"],
  };
  writeFileSync(join(folder.path, "tsconfig.json"), JSON.stringify(settings));
  const check = async () => {
    const child = Bun.spawn([process.execPath, join(root, "node_modules/.bin/tsc"), "-p", folder.path], {
      stdout: "pipe",
      env: {},
    });
    return new Response(child.stdout).text();
  };
  expect(await check()).toBe("");
  const text = readFileSync(file, "utf8");
  writeFileSync(file, text.replace('tokensSource: "provider"', 'tokensSource: "somebody"'));
  expect(await check()).toContain('"somebody"');
});
