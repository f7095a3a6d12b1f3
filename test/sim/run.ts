/**
 * One simulation: plays a seed's scenario on the real gateway, and checks it at every step and at the end.
 * A new trouble of the scenario is played in `troubles`; a promise about the end is a check in `atTheEnd`.
 */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { GatewayConfig } from "../../src/config/gateway-config";
import type { Outside } from "../../src/domain/outside";
import { type Ask, plainAsk } from "./asks";
import { Breach, type Call } from "./calls";
import { deliver } from "./delivery";
import { judgeAnswer, judgeSecrecy, LOCK_WAIT_MS, type Sent, SLACK_MS, type Told } from "./judge-answer";
import { judgeCalls } from "./judge-calls";
import { microCreditsLeft, NO_KEYS_WORKSPACE } from "./judge-credits";
import { type Ended, judgeAcknowledged, judgeLedger } from "./judge-ledger";
import { fullAfterMs, judgeRates } from "./judge-rates";
import { createLife, type Life } from "./life";
import { seededRandom } from "./random";
import { configOf } from "./routing";
import { drawScenario, type Scenario } from "./scenario";
import { createServer } from "./server";
import { createWorld, type Process, StuckError, type World } from "./world";

export interface Verdict {
  readonly seed: number;
  /** undefined: every promise was kept. */
  readonly breach: string | undefined;
  readonly trace: readonly string[];
  readonly asks: number;
  readonly calls: number;
}

/** Unhandled rejections. */
const unhandled: unknown[] = [];
let listens = false;

/** @param scratch a folder for the simulation, which removes what it wrote */
export async function simulate(seed: number, scratch: string): Promise<Verdict> {
  if (!listens) process.on("unhandledRejection", (reason) => unhandled.push(reason));
  listens = true;
  const random = seededRandom(`seed ${seed}`);
  const scenario = drawScenario(seed, random.fork("scenario"));
  const folder = join(scratch, String(seed));
  mkdirSync(folder, { recursive: true });
  const world = createWorld(random.fork("world"));
  const calls: Call[] = [];
  const breaches: unknown[] = [];
  const servers = new Map(
    scenario.servers.map((server) => [
      server.name,
      createServer(server, scenario, random.fork(`at ${server.name}`), calls),
    ]),
  );
  const own: Outside = outsideOf(() => life.process());
  const first = await configOf(scenario, "first", folder, own);
  const second = scenario.reloadsMs.length > 0 ? await configOf(scenario, "second", folder, own) : first;

  let answers = 0;
  let isQuiet = false;
  const arriving = () => {
    answers += 1;
    if (!isQuiet && scenario.deaths.some((death) => "atAnswer" in death && death.atAnswer === answers))
      kill();
  };
  const kill = () => {
    life.kill();
    for (const call of calls) {
      if (call.end === undefined) Object.assign(call, { end: "cut", endedMs: world.elapsedMs() });
    }
  };
  const fetch = async (url: string, init: RequestInit, own: Process) => {
    const server = servers.get(new URL(url).hostname.replace(".test", ""));
    try {
      if (!server) throw new Breach("calls are as the routing file says", url);
      const { call, draft } = server.answer(init, world.elapsedMs());
      const { number, inputs, trouble = "all well" } = call;
      world.note(`${call.server} call ${number} for ${call.ask}: ${inputs.length} inputs, ${trouble}`);
      const signal = init.signal ?? new AbortController().signal;
      return await deliver({ call, draft, signal, process: own, arriving }, world);
    } catch (thrown) {
      if (thrown instanceof Breach) breaches.push(thrown);
      throw thrown;
    }
  };
  const life: Life = createLife(first, world, fetch);

  try {
    await world.until(
      everything({
        scenario,
        world,
        life,
        calls,
        second,
        kill,
        heal() {
          isQuiet = true;
          for (const server of servers.values()) server.heal();
        },
      }),
    );
    if (world.timers() > 0) throw new Breach("no timer is left", `${world.timers()} are`);
  } catch (thrown) {
    breaches.push(thrown);
  }
  // A rejection is reported only after the turn.
  await new Promise<void>((resolve) => setImmediate(resolve));
  breaches.push(...unhandled.splice(0).map((reason) => `a promise failed unheard: ${wordsOf(reason)}`));
  life.drop();
  rmSync(folder, { recursive: true, force: true });
  return {
    seed,
    breach: breaches.length === 0 ? undefined : breaches.map(wordsOf).join("\n"),
    trace: world.trace.map((line) => line.replaceAll(folder, "")),
    asks: scenario.clients.flat().length,
    calls: calls.length,
  };
}

export function wordsOf(thrown: unknown): string {
  if (thrown instanceof Breach) return thrown.message;
  if (thrown instanceof StuckError) return `nothing hangs: ${thrown.message}`;
  return thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
}

/** Plugins get their outside when the routing file is loaded: it is that of the living process. */
function outsideOf(living: () => Process): Outside {
  return {
    now: () => living().outside.now(),
    monotonic: () => living().outside.monotonic(),
    sleep: (ms, signal) => living().outside.sleep(ms, signal),
    alarm: (ms, ring) => living().outside.alarm(ms, ring),
    fetch: (url, init) => living().outside.fetch(url, init),
    random: () => living().outside.random(),
    randomBytes: (count) => living().outside.randomBytes(count),
    environment: {},
    readFile: async () => undefined,
    log: (level, message, about) => living().outside.log(level, message, about),
  };
}

interface Stage {
  readonly scenario: Scenario;
  readonly world: World;
  readonly life: Life;
  readonly calls: readonly Call[];
  readonly second: GatewayConfig;
  readonly kill: () => void;
  readonly heal: () => void;
}

/** Circuit breakers close again and limits are forgotten after servers were healthy for this long. */
const QUIET_MS = 180_000;

async function everything(stage: Stage): Promise<void> {
  const { scenario, world, life, calls, heal } = stage;
  const keys = await makeKeys(stage);
  const ended: Ended[] = [];
  const sent: Sent[] = [];
  const disk: { fromMs: number; toMs: number }[] = [];
  const send = (ask: Ask) => sendAndJudge(ask, keys, stage, disk, sent, ended);
  await Promise.all([
    ...scenario.clients.map(async (asks) => {
      for (const ask of asks) {
        await world.sleep(ask.waitsMs);
        await send(ask);
      }
    }),
    ...troubles(stage, disk),
  ]);
  heal();
  await world.sleep(Math.max(QUIET_MS, fullAfterMs(sent, scenario)));
  await payUp(stage);
  for (const [i, model] of scenario.models.entries()) {
    const recovery = await send(plainAsk(`recovery-${i}`, model, scenario.workspaces[0]));
    if (recovery.told?.status !== 200)
      throw new Breach("all is well once troubles end", `${model.id}: ${recovery.told?.text.slice(0, 300)}`);
  }
  // Answers cause spaces to be measured.
  await world.sleep(QUIET_MS);
  const { database } = await life.up();
  judgeLedger(ended, { calls, database, ...pricesOf(scenario) });
  judgeCalls(sent, calls, scenario, life.upSinceMs());
  judgeRates(sent, scenario, life.upSinceMs().length);
  judgeSecrecy(JSON.stringify(world.logs), scenario);
  await life.close();
}

const pricesOf = ({ cache, abandoned }: Scenario) => ({
  hitPriceTenths: cache === false ? 0 : cache.hitPriceTenths,
  paysAbandoned: abandoned === "charge",
});

async function makeKeys({ life, scenario }: Stage): Promise<ReadonlyMap<string, string>> {
  const keys = new Map<string, string>();
  const { gateway } = await life.up();
  for (const workspace of scenario.workspaces) {
    const { key } = await gateway.keys.create(`of ${workspace}`, workspace);
    keys.set(workspace, key);
  }
  return keys;
}

/** Nobody is without credits in the final check. */
async function payUp({ scenario, life }: Stage): Promise<void> {
  if (scenario.microCredits === undefined) return;
  const { gateway } = await life.up();
  for (const name of scenario.workspaces.length > 0 ? scenario.workspaces : [NO_KEYS_WORKSPACE]) {
    await gateway.workspaces.ensure(name);
    await gateway.workspaces.grant(name, 1_000_000n, "so that all is well");
  }
}

function troubles(
  { scenario, world, life, second, kill }: Stage,
  disk: { fromMs: number; toMs: number }[],
): Promise<void>[] {
  return [
    ...scenario.deaths.map(async (death) => {
      if (!("atMs" in death)) return;
      await world.sleep(death.atMs);
      kill();
    }),
    ...scenario.reloadsMs.map(async (atMs) => {
      await world.sleep(atMs);
      await life.reload(second);
    }),
    ...scenario.disk.map(async ({ fault, fromMs, toMs }) => {
      await world.sleep(fromMs);
      const end = await life.spoilDisk(fault);
      const window = { fromMs: world.elapsedMs(), toMs: Number.POSITIVE_INFINITY };
      disk.push(window);
      await world.sleep(toMs - fromMs);
      end();
      window.toMs = world.elapsedMs();
    }),
  ];
}

async function sendAndJudge(
  ask: Ask,
  keys: ReadonlyMap<string, string>,
  { world, life, scenario, calls }: Stage,
  disk: readonly { fromMs: number; toMs: number }[],
  sent: Sent[],
  ended: Ended[],
): Promise<Ended> {
  const { gateway, death, database, process: own } = await life.up();
  const sentMs = world.elapsedMs();
  const way: Sent = { ask, sentMs, endedMs: undefined, status: undefined };
  sent.push(way);
  const key = keys.get(ask.workspace ?? "");
  const client = new AbortController();
  const request = new Request("http://localhost:8080/v1/embeddings", {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      ...ask.headers,
    },
    body: ask.body,
    signal: client.signal,
  });
  world.note(`${ask.id} asks ${ask.modelId} for ${ask.inputs.length} inputs`);
  const answer = gateway.door.handle(request);
  const answered = new AbortController();
  const { leavesAfterMs } = ask;
  const hasLeft =
    leavesAfterMs !== undefined &&
    world.sleep(leavesAfterMs, answered.signal).then(
      () => {
        world.note(`${ask.id} leaves`);
        client.abort();
        return true;
      },
      () => false,
    );
  const response = await Promise.race([answer, death]);
  answered.abort();
  const left = await hasLeft;
  const endedMs = world.elapsedMs();
  way.endedMs = endedMs;
  const diskFailed = disk.some(({ fromMs, toMs }) => fromMs <= endedMs && toMs >= sentMs);
  const end = { ask, told: undefined, shown: undefined, mayBeLost: false };
  // Rows that a database refused wait in the process's memory, and are lost with it.
  void death.then(() => {
    const known = ended.find((candidate) => candidate.ask === ask);
    if (known) known.mayBeLost = true;
  });
  if (response === "cut") {
    world.note(`${ask.id} is cut`);
    ended.push({ ...end, end: "cut", mayBeLost: true });
    return { ...end, end: "cut" };
  }
  way.status = response.status;
  const text = await response.text();
  const told: Told = { ask, sentMs, endedMs, status: response.status, headers: response.headers, text };
  world.note(`${ask.id} gets ${told.status}`);
  if (left) {
    const stayedMs = endedMs - sentMs - (leavesAfterMs ?? 0);
    if (stayedMs > SLACK_MS + (diskFailed ? LOCK_WAIT_MS : 0))
      throw new Breach("nobody works for a client that has left", `${ask.id}: for ${stayedMs} ms`);
    const gone: Ended = { ...end, end: "left", mayBeLost: own.isDead() };
    ended.push(gone);
    return gone;
  }
  const shown = judgeAnswer(told, {
    scenario,
    calls,
    sent,
    diskFailed,
    microCreditsLeft: microCreditsLeft(ask, scenario, database),
  });
  const all: Ended = { ...end, end: "told", told, shown };
  ended.push(all);
  judgeAcknowledged(told, shown, { calls, database, ...pricesOf(scenario) });
  return all;
}
