/**
 * A gateway with a day of history, for the dashboard: workspaces, keys, money, and problems that a stranger should see on the first page.
 * Network and clock are fakes while the day is simulated, so that it takes a second; then the clock is the real one.
 */
import { serve } from "bun";
import type { Outside } from "../../src/domain/outside";
import { type OpenGateway, openGateway } from "../gateway";

export interface World extends AsyncDisposable {
  readonly url: string;
  readonly open: OpenGateway;
  /** Secrets. */
  readonly adminKey: string;
  readonly callerKey: string;
  /** One more request as a caller would send it. */
  ask(workspace: string, model: string, texts: readonly string[]): Promise<number>;
}

export type Faults = "none" | "planted";

/** @param minutes the length of the day */
export async function openWorld(faults: Faults, minutes = 1_440): Promise<World> {
  const began = Date.now() - minutes * 60_000;
  let at: number | undefined = began;
  const seed = { value: 7 };
  const random = () => {
    seed.value = (seed.value * 48_271) % 2_147_483_647;
    return seed.value / 2_147_483_647;
  };
  const now = () => Math.floor(at ?? Date.now());
  const isLate = () => faults === "planted" && now() > began + (minutes - 25) * 60_000;
  const pass = (ms: number) => {
    if (at !== undefined) at += ms;
  };

  const world: Partial<Outside> = {
    now,
    monotonic: () => at ?? Date.now(),
    sleep: async (ms, signal) => {
      if (at === undefined) await Bun.sleep(Math.min(ms, 50));
      else pass(ms);
      signal?.throwIfAborted();
    },
    async fetch(url, { body }) {
      const { hostname } = new URL(url);
      const { input, model }: { input: string[]; model: string } = JSON.parse(String(body));
      const isMeasured = input.length > 3 && at !== undefined && now() === began;
      const slow = hostname === "eu.example" && isLate() ? 40 : 1;
      if (!isMeasured) pass((30 + 60 * random() + (random() < 0.02 ? 900 : 0)) * slow);
      const fails = hostname === "gpu.example" && isLate() ? 0.7 : 0.004;
      if (!isMeasured && random() < fails)
        return Response.json({ error: { message: "The server is overloaded." } }, { status: 503 });
      const drift = hostname === "spare.example" && faults === "planted" ? 0.9 : 0;
      return Response.json({
        object: "list",
        model,
        data: input.map((text, index) => ({
          object: "embedding",
          index,
          embedding: vectorOf(model, text, drift),
        })),
        usage: {
          prompt_tokens: input.reduce((sum, text) => sum + Math.ceil(text.length / 4), 0),
          total_tokens: input.reduce((sum, text) => sum + Math.ceil(text.length / 4), 0),
        },
      });
    },
  };

  const open = await openGateway({ yaml: YAML, outside: world });
  const { gateway } = open;
  await gateway.workspaces.create("search", { cap_usd_per_month: 40 }, null);
  await gateway.workspaces.create("support-bot", { requests_per_minute: 600 }, 25_000_000n);
  await gateway.workspaces.create("batch-import", { cap_usd_per_day: 5 }, null);
  const admin = await gateway.keys.create("ops", "default", true);
  const secrets = new Map<string, string>();
  for (const workspace of ["search", "support-bot", "batch-import"])
    secrets.set(workspace, (await gateway.keys.create(`${workspace}-prod`, workspace)).key);

  async function ask(
    workspace: string,
    model: string,
    texts: readonly string[],
    team = "web",
  ): Promise<number> {
    const { status } = await open.post(
      { model, input: texts, metadata: { team } },
      { authorization: `Bearer ${secrets.get(workspace)}` },
    );
    return status;
  }

  let turn = 0;
  const textOf = (words: number) => `${WORDS[turn++ % WORDS.length]} `.repeat(words) + turn;
  for (let minute = 1; minute < minutes; minute++) {
    const isRecent = minute > minutes - 60;
    if (!isRecent && minute % 15 !== 0) continue;
    at = began + minute * 60_000;
    await ask(
      "search",
      "text-embedding-3-small",
      Array.from({ length: 12 }, () => textOf(60)),
      "web",
    );
    await ask(
      "search",
      "text-embedding-3-small",
      Array.from({ length: 8 }, () => textOf(40)),
      turn % 3 ? "app" : "web",
    );
    await ask("support-bot", "support-articles", [textOf(260)], "support");
    if (minute % 3 === 0) await ask("support-bot", "bge-m3", [textOf(30)], "support");
    if (minute % 20 === 0) await ask("search", "no-such-model", ["x"]);
    for (let i = 0; i < (isLate() ? 3 : 1); i++)
      if (minute % 2 === 0 || isLate())
        await ask(
          "batch-import",
          "support-articles",
          Array.from({ length: isLate() ? 60 : 6 }, () => textOf(220)),
          "import",
        );
  }
  at = undefined;
  const server = serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request) => gateway.door.handle(request),
  });
  return {
    url: `http://127.0.0.1:${server.port}`,
    open,
    adminKey: admin.key,
    callerKey: secrets.get("search") ?? "",
    ask,
    async [Symbol.asyncDispose]() {
      await server.stop(true);
      await open[Symbol.asyncDispose]();
    },
  };
}

const WORDS = ["refund", "delivery", "password", "invoice", "holiday", "battery", "garden", "kitchen"];

/** Models differ somewhat; a route that drifted differs from its own model by `drift`. */
function vectorOf(model: string, text: string, drift: number): number[] {
  const common = numbersOf(text);
  const own = numbersOf(`${model} ${text}`);
  const astray = numbersOf(`astray ${text}`);
  const values = common.map((value, i) => value + 0.6 * (own[i] ?? 0) + drift * (astray[i] ?? 0));
  const length = Math.hypot(...values);
  return values.map((value) => value / length);
}

function numbersOf(text: string): number[] {
  let state = Number(Bun.hash(text) % 2_147_483_646n) + 1;
  return Array.from({ length: DIMENSIONS }, () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647 - 0.5;
  });
}

const DIMENSIONS = 64;

const YAML = `
providers:
  eu: { plugin: openai, api_key: a, base_url: "https://eu.example/v1" }
  us: { plugin: openai, api_key: a, base_url: "https://us.example/v1" }
  spare: { plugin: openai, api_key: a, base_url: "https://spare.example/v1" }
  gpu: { plugin: openai, api_key: a, base_url: "https://gpu.example/v1" }
  local: { plugin: local }
cache: { memory_mb: 16 }
models:
  text-embedding-3-small: { dimensions: 64, price: 0.6, long_input: truncate, routes: [ { provider: eu }, { provider: us } ] }
  support-articles: { dimensions: 64, price: 1.3, uncounted: send, routes: [ { provider: us }, { provider: spare } ] }
  bge-m3: { dimensions: 64, price: 0.01, uncounted: send, end_of_life: "2027-03-31", routes: [ { provider: gpu } ] }
  all-MiniLM-L6-v2: { routes: [ { provider: local } ] }
  docs: { alias_of: text-embedding-3-small }
`;
