/**
 * Memory for the bodies of requests in flight: what fits is taken at once, the rest waits, and one workspace leaves space for the others.
 */
import { describe, expect, test } from "bun:test";
import { Ending } from "../../src/domain/ending";
import { createBodyMemory } from "../../src/door/body-memory";
import { fakeOutside } from "../fake-outside";
import { openGateway } from "../gateway";
import { vectorOf } from "../serving";

const LIMIT = 100;

function opened() {
  const clock = fakeOutside();
  const memory = createBodyMemory(() => LIMIT, clock.outside);
  /** What happened to each, in order. */
  const seen: string[] = [];
  const enter = (name: string, bytes: number, workspace = name) => {
    const place = memory.enter(workspace);
    const over = new Ending();
    const waits = place.hold(bytes, over);
    if (waits === undefined) seen.push(name);
    waits?.then(
      () => seen.push(name),
      (cause: Error) => seen.push(`${name}: ${cause.message.slice(0, 10)}`),
    );
    return {
      over,
      hold: (bytes: number, until: Ending) => place.hold(bytes, until),
      leave: () => place.leave(),
    };
  };
  return { clock, memory, seen, enter };
}

describe("a body", () => {
  test("that does not fit waits until it does, the longest waiting first", async () => {
    const { clock, memory, seen, enter } = opened();
    const first = enter("first", 60);
    enter("second", 50);
    enter("third", 30);
    expect(seen).toEqual(["first", "third"]);
    expect(memory.held()).toBe(90);
    first.leave();
    await clock.advance(0);
    expect(seen).toEqual(["first", "third", "second"]);
    expect(memory.held()).toBe(80);
    first.leave();
    expect(memory.held()).toBe(80);
  });

  test("that waits too long, or whose request ends, gets an error and holds nothing", async () => {
    const { clock, memory, seen, enter } = opened();
    enter("first", 60);
    const gone = enter("gone", 50);
    enter("late", 50);
    gone.over.abort(new Error("it has gone"));
    await clock.advance(10_000);
    expect(seen).toEqual(["first", "gone: it has gon", "late: The memory"]);
    expect(memory.held()).toBe(60);
    expect(clock.sleeping()).toEqual([]);
  });

  test("of a workspace that has its share waits, and others' overtake it", async () => {
    const { clock, seen, enter } = opened();
    const flood = [enter("flood 1", 40, "flood"), enter("flood 2", 40, "flood")];
    expect(seen).toEqual(["flood 1"]);
    enter("other", 20);
    enter("another", 40);
    expect(seen).toEqual(["flood 1", "other", "another"]);
    for (const one of flood) one.leave();
    await clock.advance(0);
    expect(seen).toEqual(["flood 1", "other", "another", "flood 2"]);
  });

  test("that is larger than all memory goes alone", async () => {
    const { clock, seen, enter } = opened();
    const small = enter("small", 1);
    const large = enter("large", 300);
    expect(seen).toEqual(["small"]);
    small.leave();
    await clock.advance(0);
    expect(seen).toEqual(["small", "large"]);
    enter("next", 1);
    large.leave();
    await clock.advance(0);
    expect(seen).toEqual(["small", "large", "next"]);
  });

  test("that grows beyond the memory is refused, and does not wait for others that wait too", () => {
    const { memory, enter } = opened();
    const place = enter("one", 40);
    enter("two", 50);
    expect(() => place.hold(60, new Ending())).toThrow("The memory for request bodies is used up");
    expect(memory.held()).toBe(90);
    place.leave();
    expect(memory.held()).toBe(50);
  });
});

describe("a gateway", () => {
  const yaml = JSON.stringify({
    server: { max_body_memory_mb: 1 },
    space_probe: false,
    providers: { wire: { plugin: "openai", base_url: "http://wire.test/v1" } },
    models: { m: { routes: [{ provider: "wire" }], max_input_tokens: 10_000_000 } },
  });
  const text = "word ".repeat(120_000);

  test("reads as many bodies at a time as there is memory for, and answers all", async () => {
    let inFlight = 0;
    let most = 0;
    await using open = await openGateway({
      yaml,
      outside: {
        async fetch(_, init) {
          inFlight += 1;
          most = Math.max(most, inFlight);
          await new Promise((turn) => setImmediate(turn));
          inFlight -= 1;
          const { input }: { input: string[] } = JSON.parse(String(init?.body));
          const tokens = input.join(" ").split(" ").length;
          return Response.json({
            data: input.map((one, index) => ({ index, embedding: vectorOf(one) })),
            usage: { prompt_tokens: tokens },
          });
        },
      },
    });
    const headers = (body: string) => ({ "content-length": String(body.length) });
    const answers = await Promise.all(
      ["a", "b", "c", "d"].map((name) => {
        const body = JSON.stringify({ model: "m", input: `${name} ${text}` });
        return open.post(body, headers(body));
      }),
    );
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(most).toBe(1);
  });

  test("refuses a body that is larger than all memory, with or without a declared length", async () => {
    await using open = await openGateway({ yaml });
    const body = JSON.stringify({ model: "m", input: text.repeat(2) });
    const declared: Readonly<Record<string, string>> = { "content-length": String(body.length) };
    for (const headers of [declared, {}]) {
      const { status, text: words } = await open.post(new Blob([body]), headers);
      expect([status, words]).toEqual([413, expect.stringContaining("larger than 1 MB")]);
    }
  });
});
