/** Spending caps: exact to the pico-USD, for days and months of any time zone; a refusal says when the cap resets. */
import { describe, expect, test } from "bun:test";
import { openGateway } from "../gateway";
import { codeOf, sums, workspaceWith, YAML } from "./paying";

describe("caps", () => {
  // Two tokens of `one` cost 2,000,000 pico-USD, which is 0.000002 USD.
  test.each(["cap_usd_per_day", "cap_usd_per_month"] as const)(
    "%s is kept, and the error names it",
    async (cap) => {
      const { open, headers } = await workspaceWith(null, { settings: { [cap]: 0.000_006 } });
      await using _open = open;
      const sent = await Promise.all(
        Array.from({ length: 20 }, (_, i) => open.post({ model: "one", input: `two w${i}` }, headers)),
      );
      expect(sent.filter(({ status }) => status === 200)).toHaveLength(3);
      const refused = sent.find(({ status }) => status !== 200);
      expect(refused?.status).toBe(402);
      expect(Object(refused?.json).error).toMatchObject({ code: "cap_exceeded" });
      expect(Object(refused?.json).error.message).toContain(cap);
      expect(sums(open).held).toBe(0n);
    },
  );

  test("the error says the cap, what was spent, what was asked for, and until when; without amounts if prices are hidden", async () => {
    const told = async (policies: object) => {
      const outside = { now: () => Date.UTC(2027, 0, 31, 12) };
      await using open = await openGateway({ readsFile: true, yaml: YAML, outside });
      const settings = { cap_usd_per_day: 0.000_002, policies };
      await open.gateway.workspaces.create("team", settings, undefined);
      const headers = { authorization: `Bearer ${(await open.gateway.keys.create("ci", "team")).key}` };
      await open.post({ model: "one", input: "two words" }, headers);
      return Object((await open.post({ model: "one", input: "two more" }, headers)).json).error.message;
    };
    expect(await told({})).toBe(
      "The workspace may spend 0.000002 USD a day (cap_usd_per_day) and has spent 0.000002; this request costs 0.000001 USD or more. The next day begins at 2027-02-01T00:00:00Z.",
    );
    expect(await told({ prices: "sold" })).toBe(
      "The workspace's spending cap of this day is reached. The next day begins at 2027-02-01T00:00:00Z.",
    );
  });

  test("a day's cap resets the next day, a month's does not", async () => {
    let now = Date.UTC(2027, 0, 15, 23, 59);
    const yaml = `${YAML}\nworkspace_defaults: { cap_usd_per_day: 0.000002, cap_usd_per_month: 0.000004 }\n`;
    await using open = await openGateway({ readsFile: true, yaml, outside: { now: () => now } });
    const ask = async () => (await open.post({ model: "one", input: "two words" })).status;
    expect([await ask(), await ask()]).toEqual([200, 402]);
    now += 120_000;
    expect([await ask(), await ask()]).toEqual([200, 402]);
    now += 86_400_000;
    expect(await ask()).toBe(402);
    now = Date.UTC(2027, 1, 1);
    expect(await ask()).toBe(200);
  });

  test.each([
    ["the day's", "cap_usd_per_day: 0.000002", "", "2027-01-16T00:00:00Z"],
    ["the month's", "cap_usd_per_month: 0.000002", "", "2027-02-01T00:00:00Z"],
    [
      "the later of both",
      "cap_usd_per_day: 0.000002, cap_usd_per_month: 0.000002",
      "",
      "2027-02-01T00:00:00Z",
    ],
    ["the day's in its zone", "cap_usd_per_day: 0.000002", "America/New_York", "2027-01-15T05:00:00Z"],
    ["the month's in its zone", "cap_usd_per_month: 0.000002", "Asia/Tokyo", "2027-01-31T15:00:00Z"],
  ])("a 402 says when the cap ends: %s", async (_, caps, zone, ends) => {
    let now = Date.UTC(2027, 0, 15, 4, 59, 59, 500);
    const inZone = zone === "" ? "" : `, cap_time_zone: ${zone}`;
    const yaml = `${YAML}\nworkspace_defaults: { ${caps}${inZone} }\n`;
    await using open = await openGateway({ readsFile: true, yaml, outside: { now: () => now } });
    const ask = () => open.post({ model: "one", input: "two words" });
    expect((await ask()).status).toBe(200);
    const refused = await ask();
    expect([refused.status, codeOf(refused)]).toEqual([402, "cap_exceeded"]);
    expect(Object(refused.json).error.message).toContain(ends);
    expect(refused.headers.get("retry-after")).toBe(String(Math.ceil((Date.parse(ends) - now) / 1000)));
    now = Date.parse(ends) - 1;
    expect((await ask()).status).toBe(402);
    now += 1;
    expect((await ask()).status).toBe(200);
  });

  test("a workspace's own time zone comes before the routing file's", async () => {
    const { gateway } = await openGateway({
      readsFile: true,
      yaml: `${YAML}\nworkspace_defaults: { cap_time_zone: Asia/Tokyo }\n`,
    });
    await gateway.workspaces.create("team", { cap_usd_per_day: 1 }, null);
    expect(gateway.workspaces.rules("team").terms.caps.timeZone).toBe("Asia/Tokyo");
    await gateway.workspaces.set("team", { cap_time_zone: "Europe/Berlin" });
    expect(gateway.workspaces.rules("team").terms.caps.timeZone).toBe("Europe/Berlin");
    await gateway.close();
  });

  test("used up credits have no reset time", async () => {
    const { open, headers } = await workspaceWith(0n);
    await using _open = open;
    const refused = await open.post({ model: "one", input: "a" }, headers);
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([402, null]);
  });
});
