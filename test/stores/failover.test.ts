/**
 * A primary that dies under load, and its synchronous standby that is promoted: nothing acknowledged is missing, and nothing is overspent, with
 * credits that are leased and without. The address has both hosts.
 */
import { describe, expect, test } from "bun:test";
import { postgresDatabase } from "./databases";
import { startDrill, tally } from "./drill";
import { POSTGRES_BIN, startServers } from "./servers";

const TIME_MAX = 120_000;
const CREDITS = 4_000n;

const SETTINGS = [
  ["one row of a workspace", ""],
  ["leases of credits", ", credit_lease: 1"],
] as const;

describe.skipIf(POSTGRES_BIN === undefined)("a synchronous standby that is promoted", () => {
  test.each(SETTINGS)(
    "%s",
    async (_, settings) => {
      await using servers = await startServers(true);
      const database = postgresDatabase(servers.url, { isNew: true, asked: servers.standby });
      await using drill = await startDrill(3, CREDITS, settings, database);
      const answered = () => drill.answers.filter(({ status }) => status === 200).length;
      const isSpent = () => drill.answers.filter(({ status }) => status === 402).length > 100;
      const load = drill.load(24, isSpent);
      while (answered() < 500) await Bun.sleep(5);
      await servers.killPrimary();
      const before = answered();
      await servers.promote();
      await load;
      expect([tally(drill.answers), before < Number(CREDITS)]).toEqual([tally(drill.answers), true]);
      expect(await drill.verify()).toEqual([]);
      expect(answered()).toBeLessThanOrEqual(Number(CREDITS));
      expect(answered()).toBeGreaterThan(before);
    },
    TIME_MAX,
  );
});
