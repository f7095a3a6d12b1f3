/**
 * The executable as a user has it: built once, run from an empty folder with an empty environment, and called over HTTP.
 * Only what can go wrong in the executable alone belongs here: embedded files, workers, external plugins, exit codes, signals.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { build } from "../.ci/build";
import { exactVector } from "../plugins/fake";
import { IN_HOUSE_PLUGIN, inHouseServer } from "./in-house";
import { printed } from "./printing/printed";

const scratch = mkdtempSync(join(tmpdir(), "embedgate-executable-"));
let executable: string;
let count = 0;

beforeAll(async () => {
  executable = await build(join(scratch, "embedgate"));
}, 120_000);
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function emptyFolder(files: Readonly<Record<string, string>> = {}): string {
  count += 1;
  const folder = join(scratch, `folder-${count}`);
  mkdirSync(folder);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, ".."), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly errors: string;
}

function start(folder: string, args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  return Bun.spawn([executable, ...args], {
    cwd: folder,
    env: environment,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
}

async function run(folder: string, ...args: string[]): Promise<Ended> {
  const child = start(folder, args);
  const [code, out, errors] = await Promise.all([
    child.exited,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { code, out, errors };
}

interface Serving extends AsyncDisposable {
  readonly url: string;
  readonly greeting: string;
  readonly errors: ReadableStreamDefaultReader<Uint8Array>;
  signal(name: NodeJS.Signals): void;
  /** Sends SIGINT, which stops without draining, and returns the exit code. */
  stop(): Promise<number>;
}

/** Waits for the greeting, which is printed once the port accepts requests. */
async function serving(
  folder: string,
  args: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
): Promise<Serving> {
  const child: Subprocess<"ignore", "pipe", "pipe"> = start(
    folder,
    ["serve", "--port", "0", ...args],
    environment,
  );
  let greeting = "";
  const decoder = new TextDecoder();
  for await (const chunk of child.stdout) {
    greeting += decoder.decode(chunk);
    if (greeting.includes("curl")) break;
  }
  const url = /http:\/\/[\d.:a-z[\]]+/.exec(greeting)?.[0];
  if (url === undefined)
    throw new Error(`it did not start: ${greeting}${await new Response(child.stderr).text()}`);
  const stop = async () => {
    child.kill("SIGINT");
    return child.exited;
  };
  return {
    url,
    greeting,
    errors: child.stderr.getReader(),
    signal: (name) => child.kill(name),
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
    },
  };
}

async function embed(
  url: string,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ status: number; json: unknown; headers: Headers }> {
  const response = await fetch(`${url}/v1/embeddings`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  return { status: response.status, json: await response.json(), headers: response.headers };
}

const withoutId = (answer: unknown) => JSON.stringify(answer).replace(/"id":"req_\w+"/, '"id":""');

describe("from an empty folder, with nothing configured", () => {
  test("it greets with what it serves, embeds with the model inside, shows its docs, and ends cleanly", async () => {
    const folder = emptyFolder();
    const gateway = await serving(folder);
    expect(gateway.greeting).toMatch(/all-MiniLM-L6-v2[\s\S]*Dashboard[\s\S]*\/swagger/);
    const { status, json, headers } = await embed(gateway.url, {
      model: "all-MiniLM-L6-v2",
      input: ["a", "b"],
    });
    expect(status).toBe(200);
    expect(json).toMatchObject({
      object: "list",
      model: "all-MiniLM-L6-v2",
      usage: { prompt_tokens: 2, total_tokens: 2 },
    });
    expect(headers.get("x-embedding-space")).toBe("all-MiniLM-L6-v2@384");
    const scripts = { "swagger/page.js": "SwaggerUIBundle", "dashboard/dashboard.js": "/admin/v1" };
    for (const [path, words] of Object.entries(scripts))
      expect(await (await fetch(`${gateway.url}/${path}`)).text()).toContain(words);
    expect(await gateway.stop()).toBe(0);
    expect(readdirSync(folder)).toEqual(["data"]);
  });

  test("token arrays are decoded by the worker inside", async () => {
    await using gateway = await serving(emptyFolder());
    const ids = await embed(gateway.url, {
      model: "all-MiniLM-L6-v2",
      input: [9906, 1917],
      encoding_format: "base64",
    });
    const text = await embed(gateway.url, {
      model: "all-MiniLM-L6-v2",
      input: "Hello world",
      encoding_format: "base64",
    });
    expect(ids.headers.get("x-embedgate-decoded")).toBe("cl100k_base");
    // Except for its id, which is the request's own.
    expect(withoutId(ids.json)).toEqual(withoutId(text.json));
  });

  test("a large answer is printed by the worker inside", async () => {
    const gateway = await serving(emptyFolder());
    const { json } = await embed(gateway.url, { model: "all-MiniLM-L6-v2", input: Array(400).fill("same") });
    const [one] = Object(await embed(gateway.url, { model: "all-MiniLM-L6-v2", input: "same" })).json.data;
    expect(json).toMatchObject({
      data: Array.from({ length: 400 }, (_, index) => ({ index, embedding: one.embedding })),
    });
    await gateway.stop();
    // Without the worker it would still be printed, but with a log line.
    const logged: Uint8Array[] = [];
    for (let read = await gateway.errors.read(); !read.done; read = await gateway.errors.read())
      logged.push(read.value);
    expect(Buffer.concat(logged).toString()).not.toContain("broke down");
  });

  test("a long text is averaged, and a header says so", async () => {
    await using gateway = await serving(emptyFolder());
    const { status, headers } = await embed(gateway.url, {
      model: "all-MiniLM-L6-v2",
      input: ["short", "long ".repeat(600)],
    });
    expect([status, headers.get("x-embedgate-averaged")]).toEqual([200, "1"]);
  });

  test("ignores .env and bunfig.toml of the folder", async () => {
    const folder = emptyFolder({
      ".env": "BUN_PORT=1\nEMBEDGATE_TEST=1\n",
      "bunfig.toml": 'preload = ["./evil.ts"]\n',
      "evil.ts": 'require("node:fs").writeFileSync("evil-was-here", "")',
    });
    await using _gateway = await serving(folder);
    expect(readdirSync(folder)).not.toContain("evil-was-here");
  });
});

describe("keys from the command line", () => {
  test("can be made before the first serve, are required by it, rotated, revoked and listed", async () => {
    const folder = emptyFolder();
    const made = JSON.parse(
      (
        await run(
          folder,
          ...["keys", "create", "--name", "ci", "--workspace", "team-a"],
          ...["--create-workspace", "--create-database", "--json"],
        )
      ).out,
    );
    expect(Object.keys(made).sort()).toEqual(["admin", "id", "key", "name", "workspace"]);
    await using gateway = await serving(folder);
    const body = { model: "all-MiniLM-L6-v2", input: "a" };
    expect((await embed(gateway.url, body)).status).toBe(401);
    expect((await embed(gateway.url, body, { authorization: `Bearer ${made.key}` })).status).toBe(200);
    const next = JSON.parse((await run(folder, "keys", "rotate", made.id, "--grace", "0s", "--json")).out);
    expect((await embed(gateway.url, body, { authorization: `Bearer ${made.key}` })).status).toBe(401);
    expect((await embed(gateway.url, body, { authorization: `Bearer ${next.key}` })).status).toBe(200);
    expect((await run(folder, "keys", "revoke", made.id)).code).toBe(0);
    expect((await embed(gateway.url, body, { authorization: `Bearer ${next.key}` })).status).toBe(401);
    const list = await run(folder, "keys", "list");
    expect(list.out).toContain("revoked");
    expect(list.out).not.toContain(next.key);
    const usage = JSON.parse((await run(folder, "usage", "--by", "workspace", "--json")).out);
    expect(usage).toEqual([
      {
        workspace: "team-a",
        requests: 2,
        failed: 0,
        inputs: 2,
        tokens: 2,
        tokens_upstream: 2,
        tokens_billed: 2,
        estimated: 0,
        cost_usd: "0",
        upstream_usd: "0",
        cache_hits: 0,
        credits: "0",
      },
    ]);
    const csv = await run(folder, "usage", "--since", "1d", "--by", "model", "--csv");
    expect(csv.out).toBe(
      "model,requests,failed,inputs,tokens,tokens_upstream,tokens_billed,estimated,cost_usd,cache_hits,credits,upstream_usd\nall-MiniLM-L6-v2,2,0,2,2,2,2,0,0,0,0,0\n",
    );
  });

  test("a mistake is reported in one line without a stack, with exit code 1, or 2 for wrong usage", async () => {
    const folder = emptyFolder();
    const mistakes: readonly (readonly [number, ...string[]])[] = [
      [1, "keys", "revoke", "key_none"],
      [2, "keys", "create"],
      [1, "keys", "create", "--create-database", "--name", " "],
      [2, "keys", "rotate", "key_none", "--grace", "soon"],
      [2, "usage", "--by", "colour"],
      [2, "serve", "--port", "99999"],
      [1, "bench", "--url", "http://127.0.0.1:9/v1", "--model", "m"],
      [2, "nonsense"],
    ];
    for (const [expected, ...args] of mistakes) {
      const { code, errors } = await run(folder, ...args);
      expect([args.join(" "), code]).toEqual([args.join(" "), expected]);
      expect(errors.trim()).not.toBe("");
      expect(errors).not.toMatch(/\n\s+at /);
    }
  });
});

describe("a routing file", () => {
  const WRONG =
    "providers:\n  local: { plugin: locale }\nmodels:\n  docs:\n    routes: [ { provider: lokal } ]\n  a: { alias_of: b }\n";

  test("with errors is refused by check and by serve, with all errors at once", async () => {
    const folder = emptyFolder({ "gateway.yaml": WRONG });
    const checked = await run(folder, "check");
    const served = await run(folder, "serve", "--port", "0");
    expect([checked.code, served.code, served.errors]).toEqual([1, 1, checked.errors]);
    for (const line of [2, 5, 6]) expect(checked.errors).toContain(`gateway.yaml:${line}:`);
    expect(readdirSync(folder)).toEqual(["gateway.yaml"]);
  });

  test("that opens the gateway to other machines without a key is refused with the reason", async () => {
    const { code, errors } = await run(emptyFolder(), "serve", "--port", "0", "--host", "0.0.0.0");
    expect([code, errors.includes("no key exists")]).toEqual([1, true]);
  });

  test("whose shared server does not answer is valid, with a note", async () => {
    const { code, errors } = await run(emptyFolder({ "gateway.yaml": "shared: redis://[::1]:1" }), "check");
    expect([code, errors.includes("does not answer: ")]).toEqual([0, true]);
  });

  test("whose port is taken is refused with the reason", async () => {
    await using gateway = await serving(emptyFolder());
    const { code, errors } = await run(emptyFolder(), "serve", "--port", new URL(gateway.url).port);
    expect([code, errors.includes("Cannot serve on 127.0.0.1")]).toEqual([1, true]);
    expect(errors).toContain("such as --port ");
  });
});

describe("a changed routing file", () => {
  const one = "providers: { fake: { plugin: fake } }\nmodels: { one: { routes: [ { provider: fake } ] } }\n";
  const two = one.replace("one:", "two:");

  /** The log says that the reload is done. */
  async function untilLogged(errors: ReadableStreamDefaultReader<Uint8Array>, words: string): Promise<void> {
    let log = "";
    while (!log.includes(words)) {
      const { value, done } = await errors.read();
      if (done) throw new Error(`it ended without a word of "${words}": ${log}`);
      log += new TextDecoder().decode(value);
    }
  }

  test("is used as soon as it is written, and an invalid one changes nothing", async () => {
    const folder = emptyFolder({ "gateway.yaml": one });
    await using gateway = await serving(folder);
    const status = async (model: string) => (await embed(gateway.url, { model, input: "a" })).status;
    expect([await status("one"), await status("two")]).toEqual([200, 404]);
    writeFileSync(join(folder, "gateway.yaml"), two);
    await untilLogged(gateway.errors, "config reloaded");
    expect([await status("one"), await status("two")]).toEqual([404, 200]);
    writeFileSync(join(folder, "gateway.yaml"), "models: [");
    await untilLogged(gateway.errors, "keeping the previous configuration");
    expect([await status("one"), await status("two")]).toEqual([404, 200]);
  });

  test("is reloaded on SIGHUP", async () => {
    const folder = emptyFolder({ "gateway.yaml": one });
    await using gateway = await serving(folder);
    gateway.signal("SIGHUP");
    await untilLogged(gateway.errors, "config reloaded");
    expect((await embed(gateway.url, { model: "one", input: "a" })).status).toBe(200);
  });
});

test.skipIf(process.platform !== "linux")("two processes serve, and two new ones replace them", async () => {
  const folder = emptyFolder({ "gateway.yaml": "server: { processes: 2 }\n" });
  await using gateway = await serving(folder);
  expect(await run(folder, "reload")).toMatchObject({ code: 0 });
  expect((await embed(gateway.url, { model: "all-MiniLM-L6-v2", input: "a" })).status).toBe(200);
});

describe("an external plugin", () => {
  const yaml = (base_url: string) =>
    `providers:\n  in-house: { plugin: ./plugins/in-house.ts, base_url: "${base_url}" }\nmodels:\n  in-house-model: { routes: [ { provider: in-house } ], dimensions: 16 }\n`;

  test("is loaded by the executable at run time, and serves", async () => {
    using server = inHouseServer();
    const folder = emptyFolder({
      "gateway.yaml": yaml(server.url.origin),
      "plugins/in-house.ts": IN_HOUSE_PLUGIN,
    });
    await using gateway = await serving(folder);
    const { status, json } = await embed(gateway.url, { model: "in-house-model", input: ["one", "two"] });
    expect(status).toBe(200);
    expect(json).toMatchObject({
      data: ["one", "two"].map((text, index) => ({ index, embedding: printed(exactVector(text, 16)) })),
      usage: { prompt_tokens: 2 },
    });
  });

  test("may import files beside it", async () => {
    using server = inHouseServer();
    const split = IN_HOUSE_PLUGIN.replace("/v2/vectors", "${path}").replace(
      /"?\$\{base_url\}\$\{path\}"?/,
      "`${base_url}${path}`",
    );
    const folder = emptyFolder({
      "gateway.yaml": yaml(server.url.origin),
      "plugins/in-house.ts": `import { path } from "./path";\n${split}`,
      "plugins/path.ts": 'export const path = "/v2/vectors";\n',
    });
    await using gateway = await serving(folder);
    expect((await embed(gateway.url, { model: "in-house-model", input: "one" })).status).toBe(200);
  });

  const BROKEN: readonly (readonly [string, string, RegExp])[] = [
    [
      "cannot be parsed",
      "export default ((host) => {\n  return host.provider({ id: 'x', \n",
      /in-house\.ts:\d+:\d+/,
    ],
    [
      "imports what is not there",
      'import { a } from "./nowhere";\nexport default a;\n',
      /in-house\.ts:1:\d+.*nowhere/,
    ],
    [
      "throws when it is loaded",
      'const a = 1;\nthrow new Error("no good");\n',
      /in-house\.ts:2:\d+.*no good/,
    ],
    ["has no default export", "export const a = 1;\n", /in-house\.ts.*default/],
    ["returns no provider", "export default () => 17;\n", /in-house\.ts/],
  ];
  test.each(BROKEN)("that %s is refused with its file, line and reason", async (_, text, expected) => {
    const folder = emptyFolder({ "gateway.yaml": yaml("http://127.0.0.1:9"), "plugins/in-house.ts": text });
    const { code, errors } = await run(folder, "check");
    expect(code).toBe(1);
    expect(errors).toContain("gateway.yaml:2:");
    expect(errors).toMatch(expected);
  });
});
