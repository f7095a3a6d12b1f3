/**
 * `embedgate plugin test` as a user types it, from source: the plugin of docs/plugins.md against its live service, then against the
 * recording. plugins/conformance.test.ts has what the suite says about each broken plugin.
 */
import { expect, test } from "bun:test";
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { exactVector } from "../../plugins/fake";
import { runCommand } from "../command-line";
import { IN_HOUSE_PLUGIN, inHouseServer } from "../in-house";
import { temporaryFolder } from "../serving";

const pluginTest = (folder: string, ...args: readonly string[]) => pluginTestIn({}, folder, ...args);

const pluginTestIn = (environment: Record<string, string>, folder: string, ...args: readonly string[]) =>
  runCommand(["plugin", "test", ...args], { folder, environment });

const TOKEN = "in-house-8c2f61d0e7";

test("the documented plugin passes against its live service, and again against the recording", async () => {
  using server = inHouseServer();
  using folder = temporaryFolder({ "in-house.ts": IN_HOUSE_PLUGIN });
  const options = ["--option", `base_url=${server.url.origin}`, "--option", `token=${TOKEN}`];
  const live = await pluginTest(
    folder.path,
    "in-house.ts",
    ...options,
    "--record",
    "answers.json",
    "--verbose",
  );
  expect([live.code, live.errors]).toEqual([
    0,
    "Sends about 60 requests with short texts to the upstream, some hundred tokens in all.\n",
  ]);
  expect(live.out).toContain("ok     one vector for each input, at the right index: two inputs");
  const [, sent] = /\n\d+ right, 0 wrong, \d+ not tried\. (\d+) requests sent\.\n$/.exec(live.out) ?? [];
  expect(Number(sent)).toBe(server.asked());
  expect(Math.abs(server.asked() - 60)).toBeLessThan(10);
  const file = join(folder.path, "answers.json");
  expect(existsSync(file) && readFileSync(file, "utf8")).not.toContain(TOKEN);
  server.stop(true);
  const again = await pluginTest(
    folder.path,
    "in-house.ts",
    ...options,
    "--replay",
    "answers.json",
    "--json",
  );
  expect(again.code).toBe(0);
  const { outcomes } = JSON.parse(again.out);
  expect(outcomes.filter(({ outcome }: { outcome: string }) => outcome === "wrong")).toEqual([]);
});

test("a plugin that mixes up its vectors is reported, and the command ends with 1", async () => {
  using server = inHouseServer();
  const mixed = IN_HOUSE_PLUGIN.replace(
    "({ index, values",
    "({ index: reply.vectors.length - 1 - index, values",
  );
  using folder = temporaryFolder({ "in-house.ts": mixed });
  const { code, out } = await pluginTest(
    folder.path,
    "in-house.ts",
    "--option",
    `base_url=${server.url.origin}`,
  );
  expect(code).toBe(1);
  expect(out).toContain("WRONG  answers: one vector for each input, at the right index: two inputs");
  expect(out).not.toContain("ok     one vector");
  expect(out).toContain("The vector at index 0 belongs to another text");
});

test("what is missing, misspelt or absent is reported before anything is tried", async () => {
  using folder = temporaryFolder({ "in-house.ts": IN_HOUSE_PLUGIN, "broken.ts": "export const a = 1;\n" });
  const REFUSED: readonly (readonly [readonly string[], string])[] = [
    [["in-house.ts"], "--option base_url=… is missing; expected text"],
    [["in-house.ts", "--option", "base_url=[1]"], "--option base_url=…: expected text"],
    [
      ["in-house.ts", "--option", "base_url=http://127.0.0.1:9", "--option", "tokn=a"],
      "does not have this option",
    ],
    [["broken.ts"], "the plugin file broken.ts:1:1: it has no default export"],
    [["nowhere.ts"], "the plugin file nowhere.ts: there is no such file"],
    [["in-house.ts", "--option", "base_url"], "Expected key=value."],
    [["in-house.ts", "--option", "base_url=http://127.0.0.1:9", "--replay", "nowhere.json"], "nowhere.json"],
  ];
  for (const [args, words] of REFUSED) {
    const { code, errors } = await pluginTest(folder.path, ...args);
    expect(errors).toContain(words);
    expect([words, code]).toEqual([
      words,
      args.includes("--replay") || words.startsWith("the plugin") ? 1 : 2,
    ]);
  }
});

test("an upstream that cannot be reached is reported once", async () => {
  using folder = temporaryFolder({ "in-house.ts": IN_HOUSE_PLUGIN });
  const { code, out } = await pluginTest(
    folder.path,
    "in-house.ts",
    "--option",
    "base_url=http://127.0.0.1:9",
  );
  expect(code).toBe(1);
  expect(out).toContain(
    "WRONG  the upstream: it answers one text\n       unavailable: The provider could not be reached",
  );
  expect(out).toContain("1 wrong");
  expect(out).toContain("name one with --model");
});

/** A service that repeats everything that it was sent, as some do in debug mode: in full, escaped, and in a header. */
function tellingServer() {
  return Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const { texts }: { texts: string[] } = await request.json();
      const headers = Object.fromEntries(request.headers);
      return Response.json(
        {
          vectors: texts.map((text) => Array.from(exactVector(text, 16))),
          tokens: texts.reduce((sum, text) => sum + text.split(/\s+/).length, 0),
          you_sent: { headers, url: request.url },
        },
        { headers: { "x-echo": headers.authorization ?? "" } },
      );
    },
  });
}

const KEY_IN_ADDRESS = IN_HOUSE_PLUGIN.replace(
  "/v2/vectors`",
  "/v2/vectors?sig=${encodeURIComponent(token ?? '')}`",
);
const ODD_TOKEN = "in+house/8c2f61d0e7==";

test.each([
  ["on the command line", ["--option", `token=${ODD_TOKEN}`]],
  ["in a variable", ["--option-env", "token=IN_HOUSE_TOKEN"]],
  ["in a file", ["--option", "token=@token.txt"]],
])(
  "a recording holds no key that is given %s, wherever the vendor repeats it, and is its owner's alone",
  async (_, given) => {
    using server = tellingServer();
    using folder = temporaryFolder({ "in-house.ts": KEY_IN_ADDRESS, "token.txt": `${ODD_TOKEN}\n` });
    const file = join(folder.path, "answers.json");
    // As an earlier run left it.
    writeFileSync(file, "{}");
    chmodSync(file, 0o644);
    const environment = { IN_HOUSE_TOKEN: ODD_TOKEN };
    const options = ["in-house.ts", "--option", `base_url=${server.url.origin}`, ...given];
    const live = await pluginTestIn(environment, folder.path, ...options, "--record", "answers.json");
    expect(live.errors).toStartWith("Sends about 60 requests");
    const written = readFileSync(file, "utf8");
    expect(written).toContain("you_sent");
    for (const form of [ODD_TOKEN, encodeURIComponent(ODD_TOKEN), "8c2f61d0e7"]) {
      expect(written).not.toContain(form);
      expect(live.out).not.toContain(form);
    }
    expect((statSync(file).mode & 0o777).toString(8)).toBe("600");
    server.stop(true);
    const again = await pluginTestIn(
      environment,
      folder.path,
      ...options,
      "--replay",
      "answers.json",
      "--verbose",
    );
    expect(again.out).toContain("ok     one vector for each input, at the right index: two inputs");
    expect(again.out).not.toContain("record again");
  },
);

test("an option that cannot be read from its source is reported", async () => {
  using folder = temporaryFolder({ "in-house.ts": IN_HOUSE_PLUGIN });
  for (const [given, words] of [
    [
      ["--option-env", "token=NO_SUCH_VARIABLE"],
      "--option-env token: the variable NO_SUCH_VARIABLE is not set",
    ],
    [["--option", "token=@nowhere.txt"], "--option token: the file nowhere.txt cannot be read"],
    [["--option-env", "token"], "Expected key=value."],
  ] as const) {
    const { code, errors } = await pluginTest(folder.path, "in-house.ts", ...given);
    expect([code, errors]).toEqual([2, expect.stringContaining(words)]);
  }
});
