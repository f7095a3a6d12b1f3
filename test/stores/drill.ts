/**
 * Several gateways as separate processes on one PostgreSQL, clients that record their answers, and what must hold afterwards,
 * whatever happened meanwhile. Used by drills.test.ts, and by hand for minutes: `bun test/stores/drill.ts HOW SECONDS`.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { type PostgresDatabase, postgresDatabase } from "./databases";

/**
 * For drills by hand: the built executable, another URL of the same database, the server that is queried at the end if that URL has several hosts, and
 * more lines for the routing file, in `postgres` and beside it.
 */
const { DRILL_EXECUTABLE, DRILL_URL, DRILL_ASKED, DRILL_POSTGRES = "", DRILL_YAML = "" } = process.env;
const PROGRAM = DRILL_EXECUTABLE
  ? [DRILL_EXECUTABLE]
  : [process.execPath, join(import.meta.dir, "../../src/main.ts")];
const START_MS_MAX = 30_000;
/** An answer of any status must come within this time. Time in which the gateway is stopped (SIGSTOP) does not count. */
export const ANSWER_MS_MAX = 25_000;
const LOOK_EVERY_MS = 200;

export interface Running {
  readonly url: string;
  readonly process: Subprocess;
  /** SIGSTOP, and SIGCONT. */
  stop(): void;
  resume(): void;
  /** How long it has been stopped in all. */
  stoppedMs(): number;
}

export interface Answered {
  readonly status: number;
  readonly id: string;
  readonly code: string | undefined;
  readonly ms: number;
  /** For how long of `ms` the gateway was stopped. */
  readonly stoppedMs: number;
}

export interface Drill extends AsyncDisposable {
  readonly gateways: Running[];
  readonly answers: Answered[];
  /** Requests of one word, which cost a micro-credit each. */
  ask(gateway: Running): Promise<Answered>;
  /** Clients that call one gateway after another until `until`. */
  load(clients: number, until: () => boolean): Promise<void>;
  startGateway(): Promise<Running>;
  sql: PostgresDatabase["ask"];
  /** After all requests have ended. @returns what is wrong: usually nothing */
  verify(): Promise<readonly string[]>;
}

/** @param credits micro-credits; null: no limit */
export async function startDrill(
  gateways: number,
  credits: bigint | null,
  settings = "",
  database = postgresDatabase(),
): Promise<Drill> {
  const folder = mkdtempSync(join(tmpdir(), "embedgate-drill-"));
  const { url, schema } = database.config;
  const yaml = (port: number) => `
server: { port: ${port} }
database: "${DRILL_URL ?? url}"
postgres: { schema: ${schema}${settings}${DRILL_POSTGRES} }
providers:
  fake: { plugin: fake }
models:
  one: { routes: [ { provider: fake, model: fake } ], price: 1 }
space_probe: false
${DRILL_YAML}
`;
  const stores = await database.open();
  await stores.openWorkspaces(() => ({})).create("team", {}, credits);
  const { key } = await stores.openKeys().create("ci", "team");
  const running: Running[] = [];
  const answers: Answered[] = [];
  let asked = 0;

  async function startGateway(): Promise<Running> {
    const port = freePort();
    const own = mkdtempSync(join(folder, "gateway-"));
    writeFileSync(join(own, "gateway.yaml"), yaml(port));
    const log = Bun.file(join(own, "log"));
    const process = Bun.spawn([...PROGRAM, "serve"], {
      cwd: own,
      stdout: log,
      stderr: log,
      env: { ...globalThis.process.env, NODE_ENV: "production" },
    });
    const one = runningOf(`http://127.0.0.1:${port}`, process);
    running.push(one);
    const startedAt = performance.now();
    for (;;) {
      const ready = await fetch(`${one.url}/readyz`).catch(() => undefined);
      if (ready?.ok) return one;
      if (performance.now() - startedAt > START_MS_MAX || process.exitCode !== null)
        throw new Error(`a gateway did not start: ${await log.text()}`);
      await Bun.sleep(50);
    }
  }

  const nextWord = () => {
    asked += 1;
    return asked;
  };

  async function ask({ url: at, stoppedMs }: Running): Promise<Answered> {
    const startedAt = performance.now();
    const stoppedBefore = stoppedMs();
    const answered = (status: number, id: string, code?: string): Answered => {
      const one = {
        status,
        id,
        code,
        ms: performance.now() - startedAt,
        stoppedMs: stoppedMs() - stoppedBefore,
      };
      answers.push(one);
      return one;
    };
    const over = new AbortController();
    const looking = setInterval(() => {
      if (performance.now() - startedAt - (stoppedMs() - stoppedBefore) > ANSWER_MS_MAX) over.abort("hang");
    }, LOOK_EVERY_MS);
    let response: Response;
    try {
      response = await fetch(`${at}/v1/embeddings`, {
        method: "POST",
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
        // A different text each time: of equal ones that meet, only one pays.
        body: JSON.stringify({ model: "one", input: `a${nextWord()}` }),
        signal: over.signal,
      });
      const body: unknown = await response.json();
      const id = response.headers.get("x-request-id") ?? "";
      return answered(response.status, id, Object(body).error?.code);
    } catch {
      const isHang = over.signal.aborted;
      return answered(isHang ? -1 : 0, "", isHang ? "hang" : "no answer");
    } finally {
      clearInterval(looking);
    }
  }

  await Promise.all(Array.from({ length: gateways }, startGateway));
  return {
    gateways: running,
    answers,
    ask,
    startGateway,
    sql: database.ask,
    async load(clients, until) {
      await Promise.all(
        Array.from({ length: clients }, async (_, client) => {
          for (let i = client; !until(); i++) {
            const gateway = running[i % running.length];
            if (gateway === undefined) return;
            const { status } = await ask(gateway);
            if (status !== 200) await Bun.sleep(20);
          }
        }),
      );
    },
    async verify() {
      const wrong: string[] = [];
      const acknowledged = answers.filter(({ status }) => status === 200).map(({ id }) => id);
      const rows = await database.ask<{ request_id: string; status: number; taken: bigint }>(
        "SELECT request_id, status, micro_credits_taken AS taken FROM @ledger",
      );
      const byId = new Map(rows.map((row) => [row.request_id, row]));
      if (byId.size !== rows.length) wrong.push("a request has two rows");
      const missing = acknowledged.filter((id) => byId.get(id)?.status !== 200);
      if (missing.length > 0)
        wrong.push(`${missing.length} acknowledged rows missing, such as ${missing[0]}`);
      if (new Set(acknowledged).size !== acknowledged.length) wrong.push("an id was answered twice");
      const unpaid = acknowledged.filter((id) => credits !== null && byId.get(id)?.taken !== 1n);
      if (unpaid.length > 0) wrong.push(`${unpaid.length} answers were not paid as they cost`);
      const [workspace] = await database.ask<{ left: bigint | null; held: bigint; taken: bigint }>(
        `SELECT micro_credits - spent AS left, micro_credits_held - leased AS held,
           (SELECT coalesce(sum(micro_credits_taken), 0)::bigint FROM @ledger) AS taken
         FROM @workspaces, (SELECT coalesce(sum(micro_credits), 0)::bigint AS leased, coalesce(sum(micro_credits_spent), 0)::bigint AS spent
           FROM @leases WHERE workspace = 'team') AS leases WHERE name = 'team'`,
      );
      if (credits !== null && (workspace?.left ?? -1n) < 0n) wrong.push("the balance is below zero");
      if (credits !== null && (workspace?.left ?? 0n) + (workspace?.taken ?? 0n) !== credits)
        wrong.push(`left ${workspace?.left} and taken ${workspace?.taken} are not ${credits}`);
      const [underWay] = await database.ask<{ held: bigint }>(
        "SELECT coalesce(sum(micro_credits_held), 0)::bigint AS held FROM @ledger WHERE status = 0 AND error IS NULL",
      );
      if (workspace?.held !== underWay?.held)
        wrong.push(`the workspace holds ${workspace?.held}, its rows under way ${underWay?.held}`);
      const hangs = answers.filter(({ status }) => status === -1).length;
      if (hangs > 0) wrong.push(`${hangs} requests hung`);
      const odd = answers.filter(
        ({ status, code }) =>
          ![0, -1, 200].includes(status) &&
          !["ledger_unavailable", "insufficient_credit", "overloaded"].includes(code ?? ""),
      );
      if (odd.length > 0) wrong.push(`${odd.length} odd answers, such as ${JSON.stringify(odd[0])}`);
      return wrong;
    },
    async [Symbol.asyncDispose]() {
      for (const { process } of running) process.kill("SIGKILL");
      for (const { process } of running) process.kill("SIGCONT");
      await Promise.all(running.map(({ process }) => process.exited));
      await stores.close();
      await database[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function runningOf(url: string, process: Subprocess): Running {
  let stoppedAt: number | undefined;
  let before = 0;
  const stoppedMs = () => before + (stoppedAt === undefined ? 0 : performance.now() - stoppedAt);
  return {
    url,
    process,
    stoppedMs,
    stop() {
      stoppedAt ??= performance.now();
      process.kill("SIGSTOP");
    },
    resume() {
      before = stoppedMs();
      stoppedAt = undefined;
      process.kill("SIGCONT");
    },
  };
}

function freePort(): number {
  const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = server;
  server.stop(true);
  return port;
}

/** How many of each outcome, for the reader. */
export function tally(answers: readonly Answered[]): string {
  const counts = new Map<string, number>();
  for (const { status, code } of answers) {
    const name = code === undefined ? String(status) : `${status} ${code}`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const slowest = Math.max(0, ...answers.map(({ ms }) => ms));
  const parts = [...counts].sort().map(([name, count]) => `${name}: ${count}`);
  return `${parts.join(", ")}; slowest ${slowest.toFixed(0)} ms`;
}

/** Ends the connections of every gateway of the drill. */
export const CUT = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
  WHERE application_name = 'embedgate' AND pid <> pg_backend_pid()`;

/** From .ci/postgres.sh; undefined: restarts are not allowed. */
export const RESTART = process.env.EMBEDGATE_TEST_POSTGRES_RESTART;

export async function restartPostgres(): Promise<void> {
  await Bun.spawn(["sh", "-c", RESTART ?? "false"], { stdout: "ignore", stderr: "ignore" }).exited;
}

/** Requests that are sent at once. */
const AT_ONCE = 500;

const HOW: Readonly<Record<string, (drill: Drill, isOver: () => boolean) => Promise<void>>> = {
  async cut(drill, isOver) {
    while (!isOver()) {
      await Bun.sleep(100 + Math.random() * 200);
      await drill.sql(CUT).catch(() => undefined);
    }
  },
  async "at-once"(drill) {
    const { gateways } = drill;
    const asks = Array.from({ length: AT_ONCE }, (_, i) => gateways[i % gateways.length]);
    await Promise.all(asks.map((gateway) => gateway && drill.ask(gateway)));
  },
  /** Runs DRILL_COMMAND, such as one that promotes a replica, after a third of the time. */
  async command(_, isOver) {
    await Bun.sleep((Number(process.argv[3] ?? "20") * 1_000) / 3);
    await Bun.spawn(["sh", "-c", process.env.DRILL_COMMAND ?? "false"]).exited;
    while (!isOver()) await Bun.sleep(100);
  },
  async restart(_, isOver) {
    while (!isOver()) {
      await Bun.sleep(3_000);
      await restartPostgres();
    }
  },
  async kill(drill, isOver) {
    while (!isOver()) {
      await Bun.sleep(2_000);
      const [first] = drill.gateways.splice(0, 1);
      first?.process.kill("SIGKILL");
      await drill.startGateway();
    }
  },
  async stop(drill, isOver) {
    const [first] = drill.gateways;
    await Bun.sleep(35_000);
    first?.stop();
    await Bun.sleep(60_000);
    first?.resume();
    while (!isOver()) await Bun.sleep(100);
    console.log("the stopped one has ended with", first?.process.exitCode);
    console.log("asked of it meanwhile:", tally(drill.answers.filter(({ stoppedMs }) => stoppedMs > 0)));
  },
};

if (import.meta.main) {
  const [, , how = "cut", seconds = "20", credits = "1000000000"] = process.argv;
  const database =
    DRILL_ASKED === undefined ? undefined : postgresDatabase(DRILL_URL, { isNew: true, asked: DRILL_ASKED });
  await using drill = await startDrill(3, credits === "null" ? null : BigInt(credits), "", database);
  const endsAt = performance.now() + Number(seconds) * 1_000;
  const isOver = () => performance.now() > endsAt;
  await Promise.all([how === "at-once" ? undefined : drill.load(48, isOver), HOW[how]?.(drill, isOver)]);
  await Bun.sleep(2_000);
  if (how === "kill") await Bun.sleep(40_000);
  console.log(how, seconds, "s:", tally(drill.answers));
  console.log("wrong:", await drill.verify());
  if (process.env.DRILL_SHOW) console.log(await drill.sql(process.env.DRILL_SHOW));
}
