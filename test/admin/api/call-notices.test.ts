/** Notices from single calls: a provider that fails, or limits the rate, is named while retries or other routes still answer every request. */
import { expect, test } from "bun:test";
import { openGateway } from "../../gateway";

interface Notice {
  readonly kind: string;
  readonly severity: string;
  readonly model: string;
  readonly provider: string;
  readonly message: string;
  readonly command: string;
}

/** Two models: one of `alone`, the other of `first` and, behind it, `second`. Each host answers what is set for it, 200 if nothing is. */
async function openWorld() {
  const answers = new Map<string, () => Response | undefined>();
  let now = Date.UTC(2027, 0, 15, 20, 9);
  let count = 0;
  const open = await openGateway({
    yaml: `providers:
${["alone", "first", "second"].map((name) => `  ${name}: { plugin: openai, base_url: "http://${name}/v1" }`).join("\n")}
models:
  m: { dimensions: 8, price: 1000, uncounted: send, routes: [ { provider: alone } ] }
  shared: { dimensions: 8, price: 1000, uncounted: send, routes: [ { provider: first }, { provider: second } ] }
auth: { mode: open }
`,
    outside: {
      now: () => now,
      monotonic: () => now,
      random: () => 0.5,
      sleep: async () => undefined,
      async fetch(url, { body }) {
        now += 20;
        const failed = answers.get(new URL(url).hostname)?.();
        if (failed) return failed;
        const { input }: { input: string[] } = JSON.parse(String(body));
        const data = input.map((text, index) => ({ index, embedding: vectorOf(text) }));
        return Response.json({ data, usage: { prompt_tokens: 9, total_tokens: 9 } });
      },
    },
  });
  return {
    /** @param every this one of so many calls is answered like that */
    set(host: string, every: number, answer: () => Response) {
      let calls = 0;
      answers.set(host, () => (++calls % every === 0 ? answer() : undefined));
    },
    /** All hosts answer again, for some minutes. */
    async mended(minutes: number) {
      answers.clear();
      for (let i = 0; i < minutes; i++) {
        this.next();
        await this.minute(12);
      }
    },
    /** A minute of as many requests for each model. @returns how often each status was answered */
    async minute(requests: number) {
      const ends = now - (now % 60_000) + 60_000;
      const statuses: Record<number, number> = {};
      for (let i = 0; i < requests; i++)
        for (const model of ["m", "shared"]) {
          const { status } = await open.post({ model, input: `text number ${count++}` });
          statuses[status] = (statuses[status] ?? 0) + 1;
        }
      // The page is read near the minute's end.
      now = Math.max(now, ends - 1_000);
      return statuses;
    },
    next() {
      now += 1_000;
    },
    async notices(): Promise<readonly Notice[]> {
      const { json } = await open.send("/admin/v1/notices");
      return Object(json).notices;
    },
    [Symbol.asyncDispose]: () => open[Symbol.asyncDispose](),
  };
}

function vectorOf(text: string): number[] {
  const values = Array.from({ length: 8 }, (_, i) => Bun.hash.crc32(`${i} ${text}`) / 2 ** 32 - 0.5);
  const length = Math.hypot(...values);
  return values.map((value) => value / length);
}

const down = () => Response.json({ error: { message: "The server had an error." } }, { status: 500 });
const limited = () =>
  Response.json({ error: { message: "Slow down." } }, { status: 429, headers: { "retry-after": "120" } });

test("a provider that fails a third of its calls is named within a minute, though retries and other routes answer, and no more once it works", async () => {
  await using world = await openWorld();
  for (let i = 0; i < 5; i++) {
    await world.minute(12);
    world.next();
  }
  expect(await world.notices()).toEqual([]);
  world.set("alone", 3, down);
  world.set("first", 3, down);
  expect(await world.minute(18)).toEqual({ 200: 36 });
  const found = await world.notices();
  expect(
    found.map(({ kind, severity, model, provider, command }) => [kind, severity, model, provider, command]),
  ).toEqual([
    ["failing", "warning", "m", "alone", "embedgate models"],
    ["failing", "warning", "shared", "first", "embedgate models"],
  ]);
  expect(found[0]?.message).toMatch(
    /^'alone' failed \d+ of \d+ calls for m in the last 2 minutes; retries or other routes answered instead\. The provider answered 500: The server had an error\. Give the model a second route, or ask the provider\.$/,
  );
  await world.mended(2);
  expect(await world.notices()).toEqual([]);
});

test("callers' mistakes that a provider refuses are not its failures", async () => {
  await using world = await openWorld();
  world.set("alone", 2, () => Response.json({ error: { message: "Bad input." } }, { status: 400 }));
  expect(await world.minute(12)).toEqual({ 200: 18, 400: 6 });
  expect(await world.notices()).toEqual([]);
});

test("a provider that limits the rate is named as long as its pause lasts: an error if no other route serves", async () => {
  await using world = await openWorld();
  await world.minute(12);
  world.set("first", 1, limited);
  world.next();
  expect(await world.minute(12)).toEqual({ 200: 24 });
  const [notice, ...others] = await world.notices();
  expect(others).toEqual([]);
  expect(notice).toMatchObject({
    kind: "rate_limited",
    severity: "warning",
    model: "shared",
    provider: "first",
  });
  expect(notice?.message).toMatch(
    /^'first' limits the rate for shared: it refused 1 of \d+ calls in the last 2 minutes, and asks to wait for \d+ s\. The provider answered 429: Slow down\. Other routes serve it meanwhile\. /,
  );
  await world.mended(2);
  expect(await world.notices()).toEqual([]);

  world.set("alone", 1, limited);
  world.next();
  await world.minute(12);
  const alone = (await world.notices()).filter(({ provider }) => provider === "alone");
  expect(alone.map(({ kind, severity }) => [kind, severity])).toEqual([["rate_limited", "error"]]);
  expect(alone[0]?.message).toContain("No other route can serve it meanwhile.");
  // Answers come again: it does not matter that its pause is not over.
  await world.mended(2);
  expect(await world.notices()).toEqual([]);
});

test("a provider that is down is named once, and no more once it answers again", async () => {
  await using world = await openWorld();
  await world.minute(12);
  world.set("alone", 1, down);
  world.next();
  await world.minute(12);
  expect((await world.notices()).map(({ kind, provider }) => [kind, provider])).toEqual([
    ["circuit_open", "alone"],
  ]);
  // The circuit breaker is open for up to a minute.
  await world.mended(5);
  expect(await world.notices()).toEqual([]);
});
