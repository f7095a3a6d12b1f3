/**
 * `top` and `health` as a user types them, on a serving gateway: what they show, and their exit codes.
 */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { pageOf } from "../../src/commands/top-page";
import { PAPER } from "../../src/terminal/screen";
import { runCommand } from "../command-line";
import { postTo, startServing, temporaryFolder } from "../serving";

const MAIN = join(import.meta.dir, "../../src/main.ts");
const YAML = `
space_probe: false
providers: { one: { plugin: fake, retries: 0 } }
models:
  fake-8: { routes: [ { provider: one } ], price: 0.02 }
  fake-nan: { routes: [ { provider: one } ] }
  idle: { routes: [ { provider: one, model: fake } ] }
`;

describe("top", () => {
  test("shows rates, latencies, errors, tokens and costs by route and workspace", async () => {
    using folder = temporaryFolder({ "gateway.yaml": YAML });
    await using gateway = await startServing(folder.path);
    for (const model of ["fake-8", "fake-8", "fake-nan", "nobody-has-it"])
      await (await postTo(gateway.url, { model, input: "one two three" })).arrayBuffer();
    const run = (...args: string[]) =>
      runCommand(["top", "--url", gateway.url, ...args], { folder: folder.path });
    const { code, out } = await run("--once", "--json");
    expect(code).toBe(0);
    const said = JSON.parse(out);
    expect(said.total).toMatchObject({ requests: 4, failed: 2 });
    expect(said.total.requests_per_second).toBeCloseTo(4 / said.seconds, 9);
    expect(said.workspaces).toMatchObject([{ workspace: "default", requests: 4, failed: 2 }]);
    expect(said.errors).toEqual([
      { status: 404, code: "model_not_found", requests: 1 },
      { status: 502, code: "upstream_malformed", requests: 1 },
    ]);
    const eight = said.routes.find(({ model }: { model: string }) => model === "fake-8");
    expect(eight).toMatchObject({ provider: "one", requests: 2, failed: 0, now: { circuit: "closed" } });
    expect(eight.cost_usd).not.toBe("0");
    expect(said.routes.find(({ model }: { model: string }) => model === "idle")).toMatchObject({
      requests: 0,
    });
    const { out: page } = await run();
    expect(page).toMatch(
      /^embedgate \S+ {2}http:\/\/127\.0\.0\.1:\d+ {2}up \d+s {2}in flight 0 {2}database /,
    );
    expect(page).toMatch(/^last 1[45]m.*: 0\.00 requests\/s, 50\.0 % failed/m);
    expect(page).toMatch(/^MODEL +PROVIDER +REQ\/S +P50 MS +P99 MS +FAILED +TOKENS +USD +CIRCUIT +QUEUE/m);
    expect(page).toMatch(/^fake-8 +one .* 0\.0 % .* closed +0\/0 /m);
    expect(page).toMatch(/^fake-nan +one .* 100\.0 % .* \d\d:\d\d:\d\d /m);
    expect(page).toMatch(/^default .* 50\.0 % /m);
    expect(page).toMatch(/^404 +model_not_found +1$/m);
    expect(pageOf(said, "there", PAPER)).toContain("(unknown)");
  });

  test("draws on a terminal of any width, anew when that changes, without colour for who wants none, and leaves it as it was", async () => {
    using folder = temporaryFolder({ "gateway.yaml": YAML });
    await using gateway = await startServing(folder.path);
    for (const model of ["fake-nan", "fake-nan", "fake-nan", "fake-nan", "fake-nan"])
      await (await postTo(gateway.url, { model, input: "one two three" })).arrayBuffer();
    let written = "";
    const drawn = async (fits: (width: number) => boolean) => {
      const is = (lines: readonly string[]) => lines.join("\n").includes("fake-nan") && fits(widthOf(lines));
      while (!framesIn(written).some(is) && child.exitCode === null) await Bun.sleep(20);
    };
    const decoder = new TextDecoder();
    const child = Bun.spawn([process.execPath, MAIN, "top", "--url", gateway.url, "--every", "1s"], {
      cwd: folder.path,
      env: { ...process.env, TERM: "xterm", NO_COLOR: "1" },
      terminal: {
        cols: 80,
        rows: 24,
        data(_, bytes) {
          written += decoder.decode(bytes);
        },
      },
    });
    try {
      await drawn(() => true);
      expect(written).toContain("\u001b[?1049h\u001b[?25l");
      expect(framesIn(written).at(-1)?.join("\n")).toMatch(/^NOW +(failing|circuit open): /m);
      expect(widthOf(framesIn(written).flat())).toBeLessThanOrEqual(80);
      written = "";
      child.terminal?.resize(40, 12);
      await drawn((width) => width <= 40);
      expect(framesIn(written).at(-1)?.length).toBeLessThanOrEqual(12);
      expect(written.split("\u001b[").filter((part) => /^\d+m/.test(part))).toEqual([]);
      // An arrow key begins with Escape.
      child.terminal?.write("\u001b[A");
      written = "";
      await drawn(() => true);
      child.terminal?.write("\u0003");
      expect(await child.exited).toBe(0);
      expect(written.endsWith("\u001b[?25h\u001b[?1049l")).toBe(true);
    } finally {
      child.kill();
    }
  }, 60_000);

  test("says what is missing if no key is given, and if nothing answers", async () => {
    using folder = temporaryFolder({ "gateway.yaml": `auth: { mode: keys }\n${YAML}` });
    await using gateway = await startServing(folder.path);
    const refused = await runCommand(["top", "--url", gateway.url], { folder: folder.path });
    expect([refused.code, refused.out]).toEqual([1, ""]);
    expect(refused.errors).toContain("EMBEDGATE_ADMIN_KEY");
    const gone = await runCommand(["top", "--url", "http://127.0.0.1:9"], { folder: folder.path });
    expect([gone.code, gone.errors]).toEqual([
      1,
      expect.stringContaining("no gateway answers at http://127.0.0.1:9. Start it with 'embedgate serve'"),
    ]);
  });
});

describe("health", () => {
  test("is 0 for a healthy gateway, 1 for one that says it is not, 4 if nothing answers", async () => {
    using folder = temporaryFolder({ "gateway.yaml": YAML });
    await using gateway = await startServing(folder.path);
    const { port } = new URL(gateway.url);
    const run = (...args: string[]) => runCommand(["health", ...args], { folder: folder.path });
    expect(await run("--url", gateway.url)).toEqual({
      code: 0,
      out: `${gateway.url}/healthz: healthy\n`,
      errors: "",
    });
    const ready = await run("--url", `http://127.0.0.1:${port}/`, "--ready", "--json");
    expect([ready.code, JSON.parse(ready.out)]).toMatchObject([
      0,
      { ok: true, status: 200, answer: { routes: 3 } },
    ]);
    await using ill = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () => Response.json({ error: { message: "it shuts down" } }, { status: 503 }),
    });
    const sick = await run("--url", `${ill.url}`, "--ready");
    expect([sick.code, sick.errors]).toEqual([1, `${ill.url}readyz answered 503: it shuts down\n`]);
    const gone = await run("--url", "http://127.0.0.1:9", "--json");
    expect([gone.code, JSON.parse(gone.out)]).toMatchObject([4, { ok: false, status: null }]);
  });

  test("uses the routing file's address, and the default one while the file has errors", async () => {
    await using server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => Response.json({}) });
    using right = temporaryFolder({ "gateway.yaml": `server: { port: ${server.port} }\n${YAML}` });
    using wrong = temporaryFolder({ "gateway.yaml": "models: 3" });
    const found = await runCommand(["health"], { folder: right.path });
    expect([found.code, found.out]).toEqual([0, `http://127.0.0.1:${server.port}/healthz: healthy\n`]);
    const { errors } = await runCommand(["health"], { folder: wrong.path });
    expect(errors).toContain("note: the routing file has mistakes");
  });
});

const widthOf = (lines: readonly string[]) => Math.max(...lines.map((line) => Bun.stringWidth(line)));

/** The complete frames that were drawn; each clears the screen first. */
const framesIn = (written: string) =>
  written
    .split("\u001b[H\u001b[J")
    .slice(1, -1)
    .map((frame) => frame.split(/\r?\n/));
