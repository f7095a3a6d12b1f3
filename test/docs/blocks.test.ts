/**
 * Every block of README.md, CONTRIBUTING.md and docs/ works: commands run, routing files are valid, programs get their vectors.
 * One gateway serves them all. Only addresses are replaced: the gateway's port is a free one.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { parse } from "yaml";
import { exactVector } from "../../plugins/fake";
import { PLUGINS } from "../../plugins/index";
import { loadConfig } from "../../src/config/load";
import { formatProblem } from "../../src/config/problem";
import { realOutside } from "../../src/network/real-outside";
import { createHost } from "../../src/upstream/host";
import { IN_HOUSE_PLUGIN, inHouseServer } from "../in-house";
import { type Child, postTo, startServing, temporaryFolder } from "../serving";
import { type Block, blocksOf, PAGES, pageText, ROOT } from "./blocks";

const BLOCKS = PAGES.flatMap(blocksOf);
const LANGUAGES = ["sh", "yaml", "ts", "python", "json", "mermaid", "ini", "text"];

const python = process.env.PYTHON ?? "python3";
const pythonHasOpenai =
  Bun.spawnSync(["sh", "-c", `"${python}" -c 'import openai'`], { stderr: "ignore" }).exitCode === 0;

/** A fake OpenAI for the pages' programs. */
const openai = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  async fetch(request) {
    const { input, dimensions = 1536 }: { input: string[]; dimensions?: number } = await request.json();
    const data = input.map((text, index) => ({
      index,
      embedding: Array.from(exactVector(text, dimensions)),
    }));
    return Response.json({ data, usage: { prompt_tokens: input.length, total_tokens: input.length } });
  },
});

/** Serves what the pages' programs ask for. */
const GATEWAY = `
auth: { mode: open }
server: { default_model: all-MiniLM-L6-v2 }
providers:
  local: { plugin: local }
  openai: { plugin: openai, base_url: "http://127.0.0.1:${openai.port}/v1" }
  fake: { plugin: fake }
models:
  all-MiniLM-L6-v2: { routes: [ { provider: local } ] }
  text-embedding-3-small: { routes: [ { provider: openai } ] }
  gemini-embedding-001: { routes: [ { provider: fake, model: fake-768 } ] }
  "amazon.titan-embed-text-v2:0": { routes: [ { provider: fake, model: fake-1024 } ] }
`;

const scratch = temporaryFolder({ "gateway.yaml": GATEWAY });
const inHouse = inHouseServer();
const folder = scratch.path;
let gateway: Child;
let keyId = "";

/** The pages' commands, by name. */
const COMMANDS: Readonly<Record<string, string>> = {
  embedgate: `case "$1" in serve) set -- "$@" --port 0;; esac
exec "${process.execPath}" "${join(ROOT, "src/main.ts")}" "$@"`,
  // With a file of the test's folder, so that a gateway started here does not touch the repository's own database.
  bun: `case "$*" in "run start") set -- "$@" --port 0 --config "${join(folder, "start.yaml")}";; esac
exec "${process.execPath}" "$@"`,
  // An error response makes the command fail.
  curl: `exec "${Bun.which("curl")}" --fail-with-body --silent --show-error "$@"`,
  npx: `[ "$1 $2" = "-y bun@1.4.5" ] && shift 2 && exec bun "$@"`,
};

beforeAll(async () => {
  const put = (name: string, text: string) => {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  };
  put("start.yaml", readFileSync(join(ROOT, "gateway.yaml"), "utf8"));
  put("plugins/in-house.ts", IN_HOUSE_PLUGIN);
  // Programs import the repository's packages.
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  for (const [name, script] of Object.entries(COMMANDS)) {
    put(`bin/${name}`, `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, "bin", name), 0o755);
  }
  const created = Bun.spawnSync(
    [join(folder, "bin/embedgate"), "keys", "create", "--name", "first", "--json"],
    { cwd: folder },
  );
  keyId = JSON.parse(created.stdout.toString()).id;
  gateway = await startServing(folder);
  // Its embedding space is measured after its first answer.
  await postTo(gateway.url, { model: "text-embedding-3-small", input: "one" });
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await Promise.all([inHouse.stop(true), openai.stop(true)]);
  scratch[Symbol.dispose]();
});

/** With the addresses of this test, and a key's id. */
const placed = (text: string) =>
  text
    .replaceAll(/(127\.0\.0\.1|localhost):8080/g, `127.0.0.1:${gateway.port}`)
    .replaceAll("10.0.0.5:8000", inHouse.url.host)
    .replaceAll("KEY_ID", keyId);

const spawned = (block: Block, command: string[]) =>
  Bun.spawn(command, {
    cwd: block.how.has("clone") ? ROOT : folder,
    env: {
      PATH: [join(folder, "bin"), process.env.PATH].join(delimiter),
      HOME: folder,
      EMBEDGATE_KEY: "any",
      // Bun's package cache: without a network there is nothing else.
      BUN_INSTALL_CACHE_DIR: process.env.BUN_INSTALL_CACHE_DIR,
    },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    // In a group of its own, so that all child processes end with it.
    detached: true,
    timeout: 60_000,
  });

function endGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGTERM");
  } catch {
    // All processes of the group have ended.
  }
}

async function ran(block: Block, command: string[]): Promise<void> {
  const child = spawned(block, command);
  const said = Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  const code = await child.exited;
  endGroup(child.pid);
  const [out, errors] = await said;
  expect([code, code === 0 ? "" : `${out}${errors}`]).toEqual([0, ""]);
}

/** Starts a gateway that prints its greeting, answers, and ends when it is told to. */
async function served(block: Block): Promise<void> {
  const child = spawned(block, ["bash", "-ec", block.text]);
  let greeting = "";
  for await (const chunk of child.stdout) {
    greeting += new TextDecoder().decode(chunk);
    if (greeting.includes("curl")) break;
  }
  const url = /http:\/\/[\d.:]+/.exec(greeting)?.[0];
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  endGroup(child.pid);
  await child.exited;
}

/** The file is valid as it is, and with every variable set. */
async function checked({ text }: Block): Promise<void> {
  writeFileSync(join(folder, "block.yaml"), text);
  const names = [...text.matchAll(/\$\{(\w+)/g)].map(([, name]) => name ?? "");
  const set = Object.fromEntries(
    names.map((name) => [name, /BASE|URL/.test(name) ? "https://ours.example" : "a-word-of-some-length"]),
  );
  for (const environment of [{}, set]) {
    const host = () => createHost(realOutside);
    const now = realOutside.now();
    const loaded = await loadConfig({ file: "block.yaml", folder, environment, host, now, bundled: PLUGINS });
    expect(loaded.ok ? [] : loaded.problems.map(formatProblem)).toEqual([]);
  }
}

function pathsExist({ text }: Block): void {
  const paths = [...text.matchAll(/\b(?:src|plugins)\/[\w/.-]+/g)].map(([path]) => path);
  expect(paths.length).toBeGreaterThan(0);
  expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
}

const RUN: Readonly<Record<string, (block: Block) => Promise<unknown> | unknown>> = {
  sh: (block) =>
    block.how.has("serves")
      ? served(block)
      : ran(block, ["bash", "-euo", "pipefail", "-c", placed(block.text)]),
  yaml: (block) => (block.how.has("litellm") ? parse(block.text) : checked(block)),
  ts: (block) => {
    writeFileSync(join(folder, "block.ts"), placed(block.text));
    return ran(block, [process.execPath, "block.ts"]);
  },
  python: (block) => ran(block, [python, "-c", placed(block.text)]),
  json: ({ text }) => JSON.parse(text),
  mermaid: pathsExist,
};

describe("blocks", () => {
  const named = BLOCKS.map((block) => [`${block.page}:${block.line} ${block.language}`, block] as const);
  const isRun = ({ language, how }: Block) =>
    !how.has("no-run") &&
    !how.has("run-by") &&
    !how.has("from") &&
    (language !== "python" || pythonHasOpenai);

  test("each names its language, and how it is tested in known words", () => {
    expect(BLOCKS.length).toBeGreaterThan(20);
    const wrong = named.filter(
      ([, { language, how }]) =>
        !LANGUAGES.includes(language) ||
        how.has("unknown") ||
        (!(language in RUN) && !how.has("no-run") && !how.has("from")),
    );
    expect(wrong.map(([name]) => name)).toEqual([]);
  });

  test("a block that another test runs is named there, and a quoted file contains its block", () => {
    const indentless = (text: string) => text.replaceAll(/^\s+/gm, "");
    for (const [name, { page, text, how }] of named) {
      const other = how.get("run-by");
      if (other !== undefined) expect([name, pageText(other).includes(page)]).toEqual([name, true]);
      const file = how.get("from");
      if (file !== undefined)
        expect([name, indentless(pageText(file)).includes(indentless(text))]).toEqual([name, true]);
    }
  });

  test("every model of LiteLLM's file is in the routing file beside it", () => {
    const [theirs, ours] = ["litellm", undefined].map((how) =>
      parse(
        blocksOf("docs/from-litellm.md").find(
          ({ language, how: words }) => language === "yaml" && words.has("litellm") === (how !== undefined),
        )?.text ?? "",
      ),
    );
    const asked: string[] = [
      ...theirs.model_list.map(({ model_name }: { model_name: string }) => model_name),
      ...Object.keys(theirs.router_settings.model_group_alias),
    ];
    expect(Object.keys(ours.models).toSorted()).toEqual([...new Set(asked)].toSorted());
  });

  test.each(named.filter(([, block]) => isRun(block)))("%s", async (_, block) => {
    await RUN[block.language]?.(block);
  });
});
