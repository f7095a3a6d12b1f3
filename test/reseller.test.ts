/**
 * A reseller's day with the executable: runs the commands of docs/money.md as they are printed there, against a running gateway.
 * A command that is added to the page runs here automatically; what it must do is checked below.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "../.ci/build";
import { postTo, temporaryFolder } from "./serving";
import { ON_POSTGRES } from "./stores/on-postgres";
import { query } from "./stores/query";

const scratch = temporaryFolder();
const folder = scratch.path;
let executable: string;

beforeAll(async () => {
  executable = await build(join(folder, "embedgate"));
  scratch.write(
    "gateway.yaml",
    `
auth: { mode: keys }
money: { credits_per_usd: 100, markup: 1.25 }
workspace_defaults: { tokens_per_minute: 5000, credits: 2.5 }
providers: { local: { plugin: local } }
models: { all-MiniLM-L6-v2: { routes: [ { provider: local } ], price: 0.02 } }
`,
  );
}, 120_000);
afterAll(() => scratch[Symbol.dispose]());

interface Ran {
  readonly code: number;
  readonly out: string;
}

/** As a shell would run the line. */
async function shell(line: string): Promise<Ran> {
  const child = Bun.spawn(["sh", "-c", `embedgate() { ${JSON.stringify(executable)} "$@"; }; ${line}`], {
    cwd: folder,
    env: {},
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  const [code, out] = await Promise.all([child.exited, new Response(child.stdout).text()]);
  return { code, out };
}

const asJson = async (line: string): Promise<unknown> => JSON.parse((await shell(`${line} --json`)).out);

/** The commands of the section, in order. */
function commands(): string[] {
  const page = readFileSync(join(import.meta.dir, "../docs/money.md"), "utf8");
  const [, section = ""] = page.split("## A reseller's day");
  const [, block = ""] = /```sh[^\n]*\n([\s\S]*?)```/.exec(section) ?? [];
  return block.split("\n").filter((line) => line.startsWith("embedgate "));
}

interface Serving extends AsyncDisposable {
  readonly url: string;
}

async function serving(): Promise<Serving> {
  const child = Bun.spawn([executable, "serve", "--port", "0"], {
    cwd: folder,
    env: {},
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
  });
  let greeting = "";
  for await (const chunk of child.stdout) {
    greeting += new TextDecoder().decode(chunk);
    if (greeting.includes("curl")) break;
  }
  return {
    url: /http:\/\/[\d.:]+/.exec(greeting)?.[0] ?? "",
    async [Symbol.asyncDispose]() {
      child.kill("SIGINT");
      await child.exited;
    },
  };
}

test("every command of a reseller's day does what the page says, while the gateway runs", async () => {
  await using gateway = await serving();
  const lines = commands();
  expect(lines.length).toBeGreaterThan(12);
  const ask = (key: string, body: object) =>
    postTo(gateway.url, { model: "all-MiniLM-L6-v2", ...body }, { authorization: `Bearer ${key}` });
  let key = "";
  let keyId = "";
  const month = new Date().toISOString().slice(0, 7);

  /** On a server keys and settings are heard of within a second. A request of nothing, which costs nothing, is refused by either dialect in its own way. */
  const heard = async (isStrict: boolean) => {
    const refusal = () => ask(key, { input: [], metadata: { feature: "search" } });
    while (ON_POSTGRES && ((await refusal()).status === 422) !== isStrict);
  };
  const known = async (secret: string) => {
    while (ON_POSTGRES && (await ask(secret, { input: [] })).status === 401);
  };

  for (const line of lines) {
    const { code, out } = await shell(line.replace("KEY_ID", keyId).replace("2026-11", month));
    expect([line, code]).toEqual([line, 0]);
    if (line.includes("keys create")) {
      key = out.trim();
      keyId = Object(await asJson("embedgate keys list"))[0].id;
      await known(key);
      // Nothing was granted yet.
      expect((await ask(key, { input: "hello" })).status).toBe(402);
    }
    if (line.includes("--dialect quantized")) {
      await heard(true);
      const searched = await ask(key, { input: "four words of text", metadata: { feature: "search" } });
      // The chosen dialect is strict and has no metadata.
      expect(searched.status).toBe(422);
      expect((await ask(key, { input: "hello" })).status).toBe(200);
      await shell("embedgate workspaces set acme --unset dialect");
      await heard(false);
      for (const feature of ["search", "search", "chat"])
        expect((await ask(key, { input: "four words of text", metadata: { feature } })).status).toBe(200);
    }
    if (line.includes("keys rotate")) {
      await known(out.trim());
      expect((await ask(key, { input: "hello" })).status).toBe(200);
      expect((await ask(out.trim(), { input: "hello" })).status).toBe(200);
    }
  }

  // 2.5 micro-credits per token, rounded up over all of them: one, three times four, and two more.
  const charged = Math.ceil((1 + 3 * 4 + 2) * 2.5);
  const left = `487.${String(500_000 - charged).padStart(6, "0")}`;
  expect(await asJson("embedgate credits show acme")).toEqual({
    workspace: "acme",
    credits: left,
    credits_held: "0",
  });
  const { history } = Object(await asJson("embedgate credits history acme"));
  expect(
    history.map(({ note, requests, change }: Record<string, unknown>) => [note, requests, change]),
  ).toEqual([
    ["order 2026-117", 0, "500"],
    ["order 2026-117, corrected", 0, "-12.5"],
    ["", 6, "-0.000038"],
  ]);
  expect(history.at(-1).balance).toBe(left);
  expect(await asJson("embedgate usage --workspace acme --metadata feature=search --by model")).toMatchObject(
    [{ model: "all-MiniLM-L6-v2", requests: 2, tokens: 8, credits: "0.00002", cost_usd: "0.00000016" }],
  );
  const invoice = Object(await asJson(`embedgate invoice acme --month ${month}`));
  expect(invoice.total).toEqual({
    requests: 6,
    tokens_billed: 15,
    cost_usd: "0.0000003",
    micro_credits: "38",
    credits: "0.000038",
  });
  const csv = (await shell(`embedgate invoice acme --month ${month} --by model --csv`)).out;
  expect(csv.trim().split("\n")).toEqual([
    "workspace,month,model,requests,tokens_billed,usd_per_million_tokens,cost_usd,micro_credits,credits",
    `acme,${month},all-MiniLM-L6-v2,6,15,0.02,0.0000003,38,0.000038`,
  ]);
  expect(await query(folder, "SELECT sum(micro_credits) AS sum FROM ledger")).toEqual([{ sum: 38 }]);
  expect(await asJson("embedgate workspaces show acme")).toMatchObject({
    live_keys: 1,
    spent_today_usd: "0.0000003",
    settings: {
      requests_per_minute: { value: 600, from: "own" },
      tokens_per_minute: { value: 5000, from: "workspace_defaults" },
      cap_usd_per_month: { value: 400, from: "own" },
      dialect: { value: "openai", from: "server" },
    },
  });
}, 120_000);

test("creating a key also creates its workspace, once, with the settings of new workspaces", async () => {
  for (const name of ["one", "two"])
    await shell(`embedgate keys create --name ${name} --workspace fresh --create-workspace 2>&1`);
  expect(await asJson("embedgate workspaces show fresh")).toMatchObject({
    live_keys: 2,
    credits: "2.5",
    settings: { tokens_per_minute: { value: 5000, from: "workspace_defaults" } },
  });
  expect(Object(await asJson("embedgate credits history fresh")).history).toMatchObject([{ change: "2.5" }]);
}, 120_000);

test("a mistake is reported in one line, changes nothing, and exits with 1, or 2 for wrong usage", async () => {
  await shell("embedgate workspaces create careful --credits 1");
  const mistakes = [
    "embedgate workspaces create careful",
    "embedgate workspaces create embedgate",
    "embedgate workspaces set nobody --requests-per-minute 1",
    "embedgate workspaces set careful --requests-per-minute 0",
    "embedgate workspaces set careful --cap-usd-per-day 0.12345678901234567",
    "embedgate workspaces set careful --dialect dutch",
    "embedgate workspaces set careful --policy empty_inputs=accept",
    "embedgate workspaces set careful --unset colour",
    "embedgate workspaces set careful --models ','",
    "embedgate workspaces show nobody",
    "embedgate credits grant careful 0.0000001",
    "embedgate credits grant careful 1e3",
    "embedgate credits grant careful -1.000001",
    "embedgate credits grant nobody 1",
    "embedgate credits history nobody",
    "embedgate invoice careful --month 2026-13",
    "embedgate invoice careful --month 2026-11 --by key",
    "embedgate invoice nobody --month 2026-11",
    "embedgate usage --by model,colour",
    "embedgate usage --metadata feature",
  ];
  for (const line of mistakes) {
    const { code, out } = await shell(`${line} 2>&1`);
    expect([line, code]).toEqual([line, out.includes("error: ") ? 2 : 1]);
    // Includes the line that says which database it is.
    expect(out.trim().split("\n").length).toBeLessThanOrEqual(3);
    expect(out).not.toMatch(/\n\s+at /);
  }
  const { settings, credits } = Object(await asJson("embedgate workspaces show careful"));
  expect(credits).toBe("1");
  expect(Object.values(settings).filter((setting) => Object(setting).from === "own")).toEqual([]);
}, 120_000);
