/**
 * Row P: the same gateway as row A's on a PostgreSQL server that is named by its URL, beside one on SQLite, and two gateways on one database, each
 * asked by as many connections and for a workspace of its own: one row that both change would be the limit (row W). The server's processor time is read from /proc, so it is to be on this machine.
 */
import { readFileSync } from "node:fs";
import { SQL } from "bun";
import { type Measured, startGateway } from "./gateway";
import { printGoal } from "./goals";
import type { Group } from "./load";
import type { Bench } from "./others";
import { cpuSeconds } from "./processes";
import { say } from "./said";
import { median, written } from "./table";

const ONE_TEXT: Group = {
  connections: 32,
  inputs: 1,
  encoding: "float",
  model: "text-embedding-3-small",
  repeats: false,
};
const WARM_SECONDS = { full: 8, quick: 3 } as const;
export const NO_DATABASE =
  "  left out: --database postgres://… names a server where schemas may be made and dropped";

/** Where a backend of this connection came from: all of the server's processes are its children. */
async function serverOf(admin: SQL): Promise<number> {
  const [row]: { readonly pid: number }[] = await admin`SELECT pg_backend_pid() AS pid`;
  const stat = readFileSync(`/proc/${row?.pid}/stat`, "utf8");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
}

interface Turn {
  readonly says: string;
  readonly gateways: readonly Measured[];
  /** Per second; seconds of processor time for a thousand requests. */
  readonly rates: number[];
  readonly cpu: number[];
  readonly serverCpu: number[];
}

export async function measurePostgres({
  setting,
  load,
  seconds,
  rounds,
  quick,
  database,
}: Bench): Promise<void> {
  if (database === undefined) {
    say(NO_DATABASE);
    return;
  }
  await using admin = new SQL({ url: database, max: 1 });
  const server = await serverOf(admin);
  const schema = `bench_${process.pid}`;
  const [settings] = await admin`SELECT version() AS version, current_setting('fsync') AS fsync,
    current_setting('synchronous_commit') AS commit`;
  say(
    `  ${settings.version.split(" on ")[0]}, fsync ${settings.fsync}, synchronous_commit ${settings.commit}`,
  );
  const onPostgres = setting({ postgres: { url: database, schema } });
  try {
    await using sqlite = await startGateway(setting());
    await using otherSqlite = await startGateway(setting());
    await using first = await startGateway(onPostgres);
    await using second = await startGateway({ ...onPostgres, workspace: "second" });
    const turn = (says: string, gateways: readonly Measured[]): Turn => ({
      says,
      gateways,
      rates: [],
      cpu: [],
      serverCpu: [],
    });
    const turns = [
      turn("SQLite", [sqlite]),
      turn("PostgreSQL", [first]),
      // Two processes cost more on few cores, whatever the database is: what is PostgreSQL's is seen beside these.
      turn("two gateways, each on SQLite", [sqlite, otherSqlite]),
      turn("two gateways on PostgreSQL", [first, second]),
    ];
    // The first round warms up, and is not counted.
    for (let round = 0; round <= rounds; round += 1) {
      for (const { gateways, rates, cpu, serverCpu } of turns) {
        const spent = () => gateways.reduce((sum, { pid }) => sum + cpuSeconds(pid), 0);
        const [before, serverBefore] = [spent(), cpuSeconds(server)];
        const outcomes = await Promise.all(
          gateways.map((gateway) =>
            load(gateway, [ONE_TEXT], round === 0 ? WARM_SECONDS[quick ? "quick" : "full"] : seconds),
          ),
        );
        if (round === 0) continue;
        const requests = outcomes.reduce((sum, { requestsInAll }) => sum + requestsInAll, 0);
        rates.push(outcomes.reduce((sum, one) => sum + one.requests / one.seconds, 0));
        cpu.push(((spent() - before) / requests) * 1000);
        serverCpu.push(((cpuSeconds(server) - serverBefore) / requests) * 1000);
      }
    }
    for (const { says, rates, cpu, serverCpu } of turns)
      say(
        `  ${says.padEnd(30)}${written(median(rates))}/s, CPU s/1000 ${written(median(cpu))}, the server's ${written(median(serverCpu))}`,
      );
    const [onSqlite, one, twoOnSqlite, two] = turns;
    if (!onSqlite || !one || !twoOnSqlite || !two) return;
    printGoal(
      "P",
      { of: "requests/s over SQLite's", bound: "at least", value: 0.6, unit: "×" },
      median(one.rates) / median(onSqlite.rates),
    );
    printGoal(
      "P",
      { of: "CPU a request over SQLite's", bound: "at most", value: 1.5, unit: "×" },
      median(one.cpu) / median(onSqlite.cpu),
    );
    // On few cores all wait for the same processors: what two can answer with a core each is twice a second over what a request takes.
    printGoal(
      "P",
      { of: "two gateways, requests a core over one's", bound: "at least", value: 1.5, unit: "×" },
      (2 * median(one.cpu)) / median(two.cpu),
    );
    say(`  two on SQLite: ${written((2 * median(onSqlite.cpu)) / median(twoOnSqlite.cpu))} ×`);
  } finally {
    await admin
      .unsafe(`SET client_min_messages = warning; DROP SCHEMA IF EXISTS "${schema}" CASCADE`)
      .simple();
  }
}
