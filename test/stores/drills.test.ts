/**
 * Failures between several gateways and their PostgreSQL: nothing acknowledged is missing, nothing is there twice, nothing is
 * overspent and nobody hangs. By hand, for minutes, and for stopped processes: `bun test/stores/drill.ts`.
 */
import { describe, expect, test } from "bun:test";
import { POSTGRES_URL } from "./databases";
import { ANSWER_MS_MAX, CUT, RESTART, restartPostgres, startDrill, tally } from "./drill";

const TIME_MAX = 4 * ANSWER_MS_MAX;

const SETTINGS = [
  ["one row of a workspace", ""],
  ["leases of credits", ", credit_lease: 1"],
] as const;

describe.skipIf(POSTGRES_URL === undefined).each(SETTINGS)(
  "several gateways on one PostgreSQL: %s",
  (_, settings) => {
    test(
      "500 requests at once on a balance for 37: exactly 37 are answered",
      async () => {
        await using drill = await startDrill(3, 37n, settings);
        const [first, second, third] = drill.gateways;
        if (!first || !second || !third) throw new Error("three gateways were to be started");
        await Promise.all(
          Array.from({ length: 500 }, (_, i) => drill.ask([first, second, third][i % 3] ?? first)),
        );
        const counts = Map.groupBy(drill.answers, ({ status }) => status);
        expect([counts.get(200)?.length, counts.get(402)?.length]).toEqual([37, 463]);
        expect(await drill.verify()).toEqual([]);
      },
      TIME_MAX,
    );

    test(
      "connections that are cut in mid-commit, a gateway that is killed, and a server that starts again",
      async () => {
        await using drill = await startDrill(3, 1_000_000_000n, settings);
        let isOver = false;
        const load = drill.load(24, () => isOver);
        for (let i = 0; i < 15; i++) {
          await Bun.sleep(50 + 20 * (i % 7));
          await drill.sql(CUT);
        }
        drill.gateways.splice(0, 1)[0]?.process.kill("SIGKILL");
        if (RESTART !== undefined) await restartPostgres();
        await drill.sql("SELECT 1").catch(() => undefined);
        const before = drill.answers.length;
        for (let tries = 0; tries < 100 && !answeredSince(before); tries++) await Bun.sleep(100);
        isOver = true;
        await load;
        expect([tally(drill.answers), answeredSince(before)]).toEqual([tally(drill.answers), true]);
        expect(await drill.verify()).toEqual([]);

        function answeredSince(place: number): boolean {
          return drill.answers.slice(place).filter(({ status }) => status === 200).length > 20;
        }
      },
      TIME_MAX,
    );
  },
);
