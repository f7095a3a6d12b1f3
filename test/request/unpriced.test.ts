/** A missing price is not the price 0: a workspace that pays is refused a model without a price, however it is requested. */
import { describe, expect, test } from "bun:test";
import type { Settings } from "../../src/callers/workspace-settings";
import { type OpenGateway, openGateway } from "../gateway";

const fetch = async (_: string, init: RequestInit) => {
  const { input, model } = JSON.parse(String(init.body));
  const embedding = model === "text-embedding-3-small" ? [1, ...Array(1535).fill(0)] : [0.6, 0.8];
  return Response.json({
    data: input.map((_: unknown, index: number) => ({ index, embedding })),
    usage: { prompt_tokens: 2, total_tokens: 2 },
  });
};

const YAML = `space_probe: false
providers: { wire: { plugin: openai, base_url: "http://upstream/v1" } }
models:
  unpriced: { routes: [ { provider: wire } ] }
  free: { routes: [ { provider: wire } ], price: 0 }
  priced: { routes: [ { provider: wire } ], price: 0.02 }
  text-embedding-3-small: { routes: [ { provider: wire } ] }
  second-name: { alias_of: unpriced }
  any/*: { routes: [ { provider: wire } ] }
`;

const codeOf = (json: unknown) => Object(json).error?.code ?? 200;

async function asked(open: OpenGateway, model: string, headers: Readonly<Record<string, string>>) {
  const sent = await open.post({ model, input: "two words" }, headers);
  return sent.status === 200 ? 200 : `${sent.status} ${codeOf(sent.json)}`;
}

async function workspace(
  open: OpenGateway,
  name: string,
  settings: Partial<Settings>,
  credits: bigint | null,
) {
  await open.gateway.workspaces.create(name, settings, credits);
  const { key } = await open.gateway.keys.create("ci", name);
  return { authorization: `Bearer ${key}` };
}

const REFUSED = "402 price_unknown";

describe("a workspace that pays", () => {
  test.each<
    [string, { readonly cap_usd_per_day?: number; readonly cap_usd_per_month?: number }, bigint | null]
  >([
    ["has credits", {}, 1_000_000n],
    ["has no credits left", {}, 0n],
    ["has a cap for the day", { cap_usd_per_day: 5 }, null],
    ["has a cap for the month", { cap_usd_per_month: 5 }, null],
  ])("%s", async (_, settings, credits) => {
    await using open = await openGateway({ yaml: YAML, outside: { fetch } });
    const headers = await workspace(open, "team", settings, credits);
    for (const model of ["unpriced", "second-name", "any/thing"])
      expect(await asked(open, model, headers)).toBe(REFUSED);
    expect(await asked(open, "free", headers)).toBe(200);
    if (credits === 0n) return;
    expect(await asked(open, "priced", headers)).toBe(200);
    // With the catalogue's price.
    expect(await asked(open, "text-embedding-3-small", headers)).toBe(200);
  });

  test("is told what to do, and the log says so once per model", async () => {
    await using open = await openGateway({ yaml: YAML, outside: { fetch } });
    const headers = await workspace(open, "team", {}, 5n);
    const { json } = await open.post({ model: "unpriced", input: "a" }, headers);
    await open.post({ model: "unpriced", input: "b" }, headers);
    await open.post({ model: "any/x", input: "b" }, headers);
    expect(Object(json).error).toMatchObject({ param: "model" });
    expect(Object(json).error.message).toContain("money.unpriced: allow");
    const told = open.logs.filter(({ message }) => message.includes("without a price"));
    expect(told.map(({ about }) => Object(about).model)).toEqual(["unpriced", "any/x"]);
  });

  test("may use it for free if the routing file says so", async () => {
    await using open = await openGateway({ yaml: `${YAML}money: { unpriced: allow }\n`, outside: { fetch } });
    const headers = await workspace(open, "team", { cap_usd_per_day: 1 }, 5n);
    for (const model of ["unpriced", "second-name", "any/thing"])
      expect(await asked(open, model, headers)).toBe(200);
    expect((await open.gateway.workspaces.show("team")).micro_credits).toBe(5n);
  });

  test("pays from the moment at which it gets a limit, until the limit is removed", async () => {
    await using open = await openGateway({ yaml: YAML, outside: { fetch } });
    const headers = await workspace(open, "team", {}, null);
    const { workspaces } = open.gateway;
    expect(await asked(open, "unpriced", headers)).toBe(200);
    await workspaces.setCredits("team", 5n, "");
    expect(await asked(open, "unpriced", headers)).toBe(REFUSED);
    await workspaces.setCredits("team", null, "");
    expect(await asked(open, "unpriced", headers)).toBe(200);
    await workspaces.set("team", { cap_usd_per_month: 1 });
    expect(await asked(open, "unpriced", headers)).toBe(REFUSED);
  });

  test.each(["credits: 5", "cap_usd_per_day: 5", "cap_usd_per_month: 5"])(
    "by workspace_defaults { %s }, on first sight too",
    async (defaults) => {
      const yaml = `${YAML}workspace_defaults: { ${defaults} }\n`;
      await using open = await openGateway({ yaml, outside: { fetch } });
      expect([
        await asked(open, "unpriced", {}),
        await asked(open, "priced", {}),
        await asked(open, "unpriced", {}),
      ]).toEqual([REFUSED, 200, REFUSED]);
    },
  );
});
