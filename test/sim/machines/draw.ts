/**
 * Everything that happens to several gateways on one database, decided by the seed before anything runs.
 * A new kind of trouble is a member of MachinesScenario, drawn here and played in run.ts.
 */
import { type Ask, asked } from "../asks";
import type { Random } from "../random";
import type { Scenario } from "../scenario";
import type { SimModel } from "../truth";
import type { Way } from "./database";

export interface MachinesScenario {
  /** Servers, models and clients, without further faults. */
  readonly base: Scenario;
  /** The offset of each machine's clock from the world's. */
  readonly clocksMs: readonly number[];
  /** The same for the database's clock: its midnight may come meanwhile. */
  readonly databaseClockMs: number;
  readonly pauses: readonly { readonly machine: number; readonly atMs: number; readonly forMs: number }[];
  readonly deaths: readonly { readonly machine: number; readonly atMs: number }[];
  readonly cutsMs: readonly number[];
  readonly failovers: readonly { readonly way: Way; readonly atMs: number; readonly forMs: number }[];
  /** The share of statements, or of their answers, that are lost. */
  readonly lossRate: number;
  /** At how many requests a second credits are leased; undefined: never. */
  readonly creditLease: number | undefined;
  readonly lossUntilMs: number;
}

const HOUR_MS = 3_600_000;
/** Since the world's noon. */
const TO_MIDNIGHT_MS = 12 * HOUR_MS;
const BUSY_MS = 40_000;

export function drawMachines(seed: number, random: Random): MachinesScenario {
  const clocks = random.fork("clocks");
  const count = clocks.integer(2, 3);
  const troubles = random.fork("troubles");
  const some = <T>(most: number, draw: () => T): T[] =>
    Array.from({ length: troubles.integer(0, most) }, draw);
  return {
    base: drawBase(seed, random.fork("base")),
    clocksMs: clocks.shuffled([-HOUR_MS, HOUR_MS, 0, 90_000]).slice(0, count),
    databaseClockMs: clocks.pick([
      0,
      TO_MIDNIGHT_MS - 20_000,
      TO_MIDNIGHT_MS - 1_800_000,
      TO_MIDNIGHT_MS + 1_800_000,
    ]),
    pauses: some(2, () => ({
      machine: troubles.integer(0, count - 1),
      atMs: troubles.integer(0, BUSY_MS),
      forMs: troubles.pick([800, 7_000, 33_000, 50_000, 80_000]),
    })),
    deaths: some(2, () => ({ machine: troubles.integer(0, count - 1), atMs: troubles.integer(0, BUSY_MS) })),
    cutsMs: some(4, () => troubles.integer(0, BUSY_MS)),
    failovers: some(1, () => ({
      way: troubles.pick<Way>(["refusing", "starting", "silent", "read-only"]),
      atMs: troubles.integer(0, BUSY_MS),
      forMs: troubles.pick([400, 3_000, 9_000, 20_000]),
    })),
    creditLease: random.fork("leases").pick([undefined, 1, 1, 3]),
    lossRate: troubles.pick([0, 0.01, 0.03, 0.1]),
    lossUntilMs: troubles.integer(5_000, BUSY_MS),
  };
}

function drawBase(seed: number, random: Random): Scenario {
  const least = random.integer(1, 60);
  const server = {
    name: "server-0",
    key: "sk-of-all-machines",
    latencyMs: { least, most: least + random.integer(1, 600) },
    faultRate: 0,
    faults: ["500"],
    spell: undefined,
    timeoutMs: 20_000,
    retries: 1,
    concurrency: 16,
    coalesceMs: undefined,
  } as const;
  const model: SimModel = {
    id: "model-0",
    vendorName: "vendor/embed-0",
    isKnown: false,
    dimensions: 8,
    sizes: "one",
    isUnit: true,
    takesTokenIds: false,
    inputsMax: 32,
    callTokensMax: undefined,
    callBytesMax: undefined,
    hiddenCallTokensMax: undefined,
    hiddenInputTokensMax: undefined,
    countedTokensMax: undefined,
    wireEncoding: "float",
    price: random.pick([0, 250_000, 1_000_000, 2_500_000]),
    servers: [server.name],
    weights: undefined,
    hedgeAfterMs: undefined,
    strangers: [],
  };
  const workspaces = random.pick<readonly string[]>([["a"], ["a", "b"]]);
  return {
    seed,
    servers: [server],
    models: [model],
    deadlineMs: random.integer(6_000, 20_000),
    clients: Array.from({ length: random.integer(3, 7) }, (_, client) =>
      Array.from({ length: random.integer(3, 10) }, (_, i) =>
        drawAsk(random.fork(`ask ${client} ${i}`), `ask-${client}-${i}`, model, workspaces),
      ),
    ),
    workspaces,
    disk: [],
    deaths: [],
    reloadsMs: [],
    cache: random.chance(0.5) ? false : { memoryMb: 1, diskMb: 0, hitPriceTenths: random.pick([0, 5]) },
    abandoned: "charge",
    perMinute: { requests: undefined, tokens: undefined },
    microCredits: random.pick([undefined, 0, 15, 60, 300, 5_000]),
    needsFile: false,
  };
}

function drawAsk(random: Random, id: string, model: SimModel, workspaces: readonly string[]): Ask {
  const inputs = Array.from({ length: random.pick([1, 1, 1, 2, 5]) }, () =>
    Array.from({ length: random.integer(1, 6) }, () => random.pick(["the", "fox", "犬", "so"])).join(" "),
  );
  return asked({
    id,
    user: id,
    model,
    modelId: model.id,
    inputs,
    encoding: random.pick(["float", "base64"]),
    dimensions: undefined,
    headers: {},
    workspace: random.shuffled(workspaces)[0],
    // Many at once now and then, so that they share a statement.
    waitsMs: random.chance(0.3) ? 0 : random.integer(0, 9_000),
    leavesAfterMs: undefined,
    refusal: undefined,
    isSingle: inputs.length === 1,
  });
}
