/**
 * One simulation of several gateways on one database: plays a seed's troubles, and checks every answer and the end.
 * A new trouble of the scenario is played in `troubles`.
 */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Ask, plainAsk } from "../asks";
import { Breach, type Call } from "../calls";
import { deliver } from "../delivery";
import { judgeAnswer, judgeSecrecy, SLACK_MS, type Told } from "../judge-answer";
import { seededRandom } from "../random";
import { configOf } from "../routing";
import { type Verdict, wordsOf } from "../run";
import { createServer } from "../server";
import { createWorld, type Process, type World } from "../world";
import { createDatabase, type SimDatabase } from "./database";
import { drawMachines, type MachinesScenario } from "./draw";
import { type Ended, judgeAcknowledged, judgeCredits, judgeEnd, judgeSums } from "./judge";
import { createMachine, type Machine } from "./machine";

/** @param scratch a folder for the simulation, which removes what it wrote */
export async function simulateMachines(seed: number, scratch: string): Promise<Verdict> {
  const random = seededRandom(`machines, seed ${seed}`);
  const scenario = drawMachines(seed, random.fork("scenario"));
  const { base } = scenario;
  const folder = join(scratch, `machines-${seed}`);
  mkdirSync(folder, { recursive: true });
  const world = createWorld(random.fork("world"));
  const calls: Call[] = [];
  const breaches: unknown[] = [];
  const server = createServer(base.servers[0], base, random.fork("server"), calls);
  const database = await createDatabase(world, random.fork("database"), scenario.databaseClockMs);
  const fetch = async (_: string, init: RequestInit, own: Process) => {
    const { call, draft } = server.answer(init, world.elapsedMs());
    const signal = init.signal ?? new AbortController().signal;
    return deliver({ call, draft, signal, process: own, arriving: () => undefined }, world);
  };
  const config = await configOf(base, "first", folder, world.startProcess(fetch).outside);
  try {
    await world.until(everything({ world, database, scenario, calls, folder, config, fetch }));
    if (world.timers() > 0) throw new Breach("no timer is left", `${world.timers()} are`);
  } catch (thrown) {
    breaches.push(thrown);
  }
  rmSync(folder, { recursive: true, force: true });
  return {
    seed,
    breach: breaches.length === 0 ? undefined : breaches.map(wordsOf).join("\n"),
    trace: world.trace,
    asks: base.clients.flat().length,
    calls: calls.length,
  };
}

interface Stage {
  readonly world: World;
  readonly database: SimDatabase;
  readonly scenario: MachinesScenario;
  readonly calls: readonly Call[];
}

/** After an outage every machine gets 30 s to report; after that it counts as dead. */
const QUIET_MS = 90_000;

async function everything({
  folder,
  config,
  fetch,
  ...stage
}: Stage & Omit<Parameters<typeof createMachine>[2], "world" | "database" | "creditLease">): Promise<void> {
  const { world, database, scenario, calls } = stage;
  const { base } = scenario;
  const machines = scenario.clocksMs.map((clockMs, i) =>
    createMachine(`machine-${i}`, clockMs, {
      world,
      database,
      config,
      folder,
      fetch,
      creditLease: scenario.creditLease,
    }),
  );
  const [first] = machines;
  if (!first) return;
  const keys = new Map<string, string>();
  const { gateway } = await first.up();
  for (const workspace of base.workspaces)
    keys.set(workspace, (await gateway.keys.create("ci", workspace)).key);
  for (const machine of machines) await machine.up();
  // What one machine creates, the others know a moment later.
  await world.sleep(1_000);
  const ended: Ended[] = [];
  const places = seededRandom(`places of ${base.seed}`);
  database.lose(scenario.lossRate);
  await Promise.all([
    ...base.clients.map(async (asks) => {
      for (const ask of asks) {
        await world.sleep(ask.waitsMs);
        const machine = machines[places.integer(0, machines.length - 1)] ?? first;
        ended.push(await send(ask, machine, keys, stage));
        await judgeCredits(database);
        await judgeSums(database);
      }
    }),
    ...troubles(machines, stage),
  ]);
  await world.sleep(QUIET_MS);
  await judgeEnd(ended, calls, scenario, database, machines.length);
  const well = (await first.up()).gateway.workspaces;
  for (const name of base.workspaces) {
    if (base.microCredits !== undefined) {
      await well.ensure(name);
      await well.grant(name, 1_000_000n, "so that all is well");
    }
  }
  for (const [i, machine] of machines.entries()) {
    const { told } = await send(
      plainAsk(`recovery-${i}`, base.models[0], base.workspaces[0]),
      machine,
      keys,
      stage,
    );
    if (told?.status !== 200)
      throw new Breach("all is well once troubles end", `${machine.name}: ${told?.text.slice(0, 300)}`);
  }
  await judgeCredits(database);
  judgeSecrecy(JSON.stringify(world.logs), base);
  for (const machine of machines) await machine.close();
  await judgeEnd([], calls, scenario, database, 0);
}

function troubles(machines: readonly Machine[], { world, database, scenario }: Stage): Promise<void>[] {
  const at = async (atMs: number, what: () => void) => {
    await world.sleep(atMs);
    what();
  };
  return [
    ...scenario.pauses.map(async ({ machine, atMs, forMs }) => {
      await at(atMs, () => machines[machine]?.pause());
      await at(forMs, () => machines[machine]?.resume());
    }),
    ...scenario.deaths.map(({ machine, atMs }) => at(atMs, () => machines[machine]?.kill())),
    ...scenario.cutsMs.map((atMs) =>
      at(atMs, () => {
        world.note("all connections are cut");
        database.cut();
      }),
    ),
    ...scenario.failovers.map(async ({ way, atMs, forMs }) => {
      await at(atMs, () => {
        world.note(`the database is ${way}`);
        database.be(way);
      });
      await at(forMs, () => {
        world.note("the database is up");
        database.be("up");
      });
    }),
    at(scenario.lossUntilMs, () => database.lose(0)),
  ];
}

/** However long a statement is not answered, a request is told at its deadline, which is looked for so often. */
const LOOK_EVERY_MS = 250;
/** The longest lookup of a key, which comes before the request's deadline starts. */
const KEY_MS = 2_000;

async function send(
  ask: Ask,
  machine: Machine,
  keys: ReadonlyMap<string, string>,
  { world, database, scenario, calls }: Stage,
): Promise<Ended> {
  const { gateway, host, death } = await machine.up();
  const sentMs = world.elapsedMs();
  world.note(`${ask.id} asks ${machine.name}`);
  const request = new Request("http://localhost:8080/v1/embeddings", {
    method: "POST",
    headers: {
      "content-type": "application/json",
      authorization: `Bearer ${keys.get(ask.workspace ?? "")}`,
    },
    body: ask.body,
  });
  const answer = host.awake().then(() => gateway.door.handle(request));
  const response = await Promise.race([answer, death]);
  const endedMs = world.elapsedMs();
  const end = { ask, sentMs, endedMs };
  if (response === "cut") {
    world.note(`${ask.id} is cut`);
    return { ...end, told: undefined, shown: undefined };
  }
  const told: Told = {
    ...end,
    status: response.status,
    headers: response.headers,
    text: await response.text(),
  };
  world.note(`${ask.id} gets ${told.status}`);
  judgeTime(told, scenario);
  if (told.status !== 200) {
    judgeRefusal(told, scenario);
    return { ...end, told, shown: undefined };
  }
  const surroundings = {
    scenario: scenario.base,
    calls,
    sent: [],
    diskFailed: false,
    microCreditsLeft: undefined,
  };
  const shown = judgeAnswer({ ...told, sentMs: endedMs }, surroundings);
  const all = { ...end, told, shown };
  await judgeAcknowledged(all, scenario, database);
  return all;
}

/** @throws Breach */
function judgeTime({ ask, sentMs, endedMs }: Told, { base, pauses }: MachinesScenario): void {
  const pausedMs = pauses.reduce((sum, { forMs }) => sum + forMs, 0);
  const longest = base.deadlineMs + KEY_MS + pausedMs + LOOK_EVERY_MS + SLACK_MS;
  if (endedMs - sentMs > longest)
    throw new Breach("no request hangs", `${ask.id} took ${endedMs - sentMs} ms, not ${longest}`);
}

/** @throws Breach */
function judgeRefusal({ ask, status, headers, text }: Told, { base }: MachinesScenario): void {
  const { code } = JSON.parse(text).error;
  const isRight =
    (status === 402 && code === "insufficient_credit" && base.microCredits !== undefined) ||
    (status === 503 && code === "ledger_unavailable" && Number(headers.get("retry-after")) >= 1) ||
    (status === 504 && code === "upstream_timeout");
  if (!isRight) throw new Breach("every error has its reason", `${ask.id}: ${status} ${text.slice(0, 300)}`);
}
