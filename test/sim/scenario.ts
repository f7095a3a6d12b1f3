/**
 * Everything that happens in one simulation, decided by its seed before anything runs: servers, models, routes, clients, and troubles.
 * A new kind of trouble is a member of Scenario, drawn here and played in run.ts.
 */
import { type Ask, drawAsks } from "./asks";
import { drawCrowd } from "./crowd";
import type { DiskFault } from "./disk";
import { FAULT_NAMES, type FaultName } from "./faults";
import type { Random } from "./random";
import type { SimModel } from "./truth";

/** One upstream server, with the gateway's account there. */
export interface SimServer {
  readonly name: string;
  readonly key: string;
  readonly latencyMs: { readonly least: number; readonly most: number };
  /** The share of its calls that go wrong, and the possible faults. */
  readonly faultRate: number;
  readonly faults: readonly [FaultName, ...FaultName[]];
  /** A time in which every call goes wrong in one way. */
  readonly spell: { readonly fromMs: number; readonly toMs: number; readonly fault: FaultName } | undefined;
  readonly timeoutMs: number;
  readonly retries: number;
  readonly concurrency: number;
  /** How long a single-input call waits to be coalesced; undefined: not at all. */
  readonly coalesceMs: number | undefined;
}

export interface Scenario {
  readonly seed: number;
  readonly servers: readonly [SimServer, ...SimServer[]];
  readonly models: readonly [SimModel, ...SimModel[]];
  readonly deadlineMs: number;
  /** Each client sends these one after another. */
  readonly clients: readonly (readonly Ask[])[];
  /** Callers have keys of these workspaces; none: no key is needed. */
  readonly workspaces: readonly string[];
  readonly disk: readonly { readonly fault: DiskFault; readonly fromMs: number; readonly toMs: number }[];
  /** The process dies at a given time, or just as a server's answer arrives. */
  readonly deaths: readonly ({ readonly atMs: number } | { readonly atAnswer: number })[];
  readonly reloadsMs: readonly number[];
  readonly cache:
    | { readonly memoryMb: number; readonly diskMb: number; readonly hitPriceTenths: number }
    | false;
  /** Whether credits pay for abandoned calls. */
  readonly abandoned: "charge" | "waive";
  /** For each workspace. */
  readonly perMinute: { readonly requests: number | undefined; readonly tokens: number | undefined };
  /** The initial credits of each workspace; undefined: no limit. */
  readonly microCredits: number | undefined;
  /** A crash and another process's lock both need a file. */
  readonly needsFile: boolean;
}

export function drawScenario(seed: number, random: Random): Scenario {
  const deadlineMs = random.integer(2_000, 20_000);
  const servers = drawServers(random.fork("servers"));
  const models = drawModels(random.fork("models"), servers);
  const troubles = random.fork("troubles");
  const workspaces = troubles.pick<readonly string[]>([[], [], ["a"], ["a", "b"]]);
  const deaths = troubles.chance(0.2)
    ? [drawDeath(troubles), ...(troubles.chance(0.3) ? [drawDeath(troubles)] : [])]
    : [];
  const disk = troubles.chance(0.15) ? [drawDiskFault(troubles)] : [];
  const money = random.fork("money");
  const cache = troubles.chance(0.25)
    ? false
    : {
        memoryMb: troubles.pick([0, 1, 256]),
        diskMb: troubles.pick([0, 0, 0, 8]),
        hitPriceTenths: troubles.pick([0, 0, 1, 5, 10]),
      };
  return {
    seed,
    servers,
    models,
    deadlineMs,
    clients: [
      ...drawAsks(random.fork("clients"), models, workspaces),
      ...drawCrowd(random.fork("crowd"), models, workspaces),
    ],
    workspaces,
    disk,
    deaths,
    reloadsMs: troubles.chance(0.2) ? [troubles.integer(10, 4_000)] : [],
    cache,
    abandoned: money.pick(["charge", "charge", "waive"]),
    perMinute: {
      requests: money.chance(0.12) ? money.integer(4, 20) : undefined,
      tokens: money.chance(0.12) ? money.integer(100, 800) : undefined,
    },
    microCredits: troubles.chance(0.25) ? troubles.pick([0, 1, 5, 20, 100]) : undefined,
    needsFile:
      (cache !== false && cache.diskMb > 0) ||
      deaths.length > 0 ||
      disk.some(({ fault }) => fault === "locked"),
  };
}

function drawServers(random: Random): [SimServer, ...SimServer[]] {
  const drawServer = (place: number): SimServer => {
    const least = random.integer(1, 80);
    const faults = random.shuffled(FAULT_NAMES).slice(0, random.integer(1, 6));
    const fromMs = random.integer(0, 2_000);
    return {
      name: `server-${place}`,
      key: `${random.pick(["sk-", "key/", ""])}${random.fork(`key ${place}`).integer(1e15, 9e15).toString(36)}-zq${place}`,
      latencyMs: { least, most: least + random.integer(1, 300) },
      faultRate: random.pick([0, 0, 0.1, 0.3, 0.6]),
      faults: [random.pick(["429", "500", "shuffled"]), ...faults],
      spell: random.chance(0.15)
        ? { fromMs, toMs: fromMs + random.integer(500, 8_000), fault: random.pick([...SPELLS]) }
        : undefined,
      timeoutMs: random.integer(400, 2_500),
      retries: random.integer(0, 4),
      concurrency: random.pick([1, 2, 4, 16, 64]),
      coalesceMs: random.fork(`coalescing ${place}`).pick([undefined, 0, 5, 40, 300]),
    };
  };
  return [drawServer(0), ...Array.from({ length: random.integer(0, 2) }, (_, i) => drawServer(i + 1))];
}

const SPELLS = [
  "500",
  "429",
  "reset before the answer",
  "no answer",
  "401",
  "HTML with 200",
  "zero vector",
] as const satisfies readonly FaultName[];

function drawModels(
  random: Random,
  servers: readonly [SimServer, ...SimServer[]],
): [SimModel, ...SimModel[]] {
  const names = servers.map(({ name }) => name);
  const drawModel = (place: number): SimModel => {
    const isKnown = place === 0 && random.chance(0.4);
    const [first = servers[0].name, ...others] = random.shuffled(names);
    const further = others.slice(0, random.integer(0, others.length));
    const shares = random.fork(`shares ${place}`);
    const dimensions = random.pick([1, 2, 3, 8, 8, 17, 24, 64, 256]);
    return {
      id: `model-${place}`,
      // The gateway's catalogue has the first: only then can it recognise another model's reply by its name.
      vendorName: isKnown ? "text-embedding-3-small" : `vendor/embed-${place}`,
      isKnown,
      dimensions,
      sizes: random.pick(["one", "native", "native", "truncate"]),
      isUnit: random.chance(0.6),
      takesTokenIds: isKnown || random.chance(0.5),
      inputsMax: random.pick([1, 2, 3, 32, 96, 100, 2048]),
      callTokensMax: random.pick([undefined, undefined, 600, 3_000]),
      callBytesMax: random.pick([undefined, undefined, 700, 4_000]),
      hiddenCallTokensMax: random.pick([undefined, undefined, undefined, 70, 200]),
      hiddenInputTokensMax: random.pick([undefined, undefined, undefined, 45]),
      countedTokensMax: shares.chance(0.25) ? shares.pick([70, 90, 120]) : undefined,
      wireEncoding: random.pick(["float", "base64"]),
      price: random.pick([0, 20_000, 130_000, 25_000]),
      servers: [first, ...further],
      // Vectors of a few numbers can be similar by chance.
      weights: shares.chance(0.2) ? names.map(() => shares.integer(1, 5)) : undefined,
      hedgeAfterMs: shares.chance(0.2) ? shares.pick([1, 20, 100, 400]) : undefined,
      strangers: dimensions >= 8 && random.chance(0.25) ? further.slice(-1) : [],
    };
  };
  return [drawModel(0), ...Array.from({ length: random.integer(0, 2) }, (_, i) => drawModel(i + 1))];
}

function drawDeath(random: Random): Scenario["deaths"][number] {
  return random.chance(0.5) ? { atMs: random.integer(5, 3_000) } : { atAnswer: random.integer(1, 12) };
}

function drawDiskFault(random: Random): Scenario["disk"][number] {
  const fromMs = random.integer(0, 2_500);
  const fault = random.pick<DiskFault>(["locked", "full", "read-only"]);
  return { fault, fromMs, toMs: fromMs + random.pick([20, 300, 2_000, 9_000]) };
}
