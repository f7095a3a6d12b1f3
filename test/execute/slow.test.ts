/**
 * A server that needs time for each text (10 ms each on a processor, say): a batch that is too much for one attempt continues in halves,
 * one after another, and is never sent again whole. A further thing to learn about a server's pace is a test here.
 */
import { expect, test } from "bun:test";
import { exactVector } from "../../plugins/fake";
import { failureOf } from "../plugins/conformance/subject";
import { answerThrough } from "./opened";
import { watched } from "./watched";

const texts = (count: number) => Array.from({ length: count }, (_, i) => `text ${i}`);

/** One call at a time, this many ms per text; it also finishes cancelled calls. */
function slow(msEach: number, retries = 2) {
  let busyUntil = 0;
  let underWay = 0;
  let atOnce = 0;
  const open = watched("fake", {
    provider: { timeoutMs: 1_000, retries },
    facts: { max_inputs: 2_048 },
    async before({ inputs, signal }) {
      const now = open.clock.outside.monotonic();
      busyUntil = Math.max(busyUntil, now) + inputs.length * msEach;
      underWay += 1;
      atOnce = Math.max(atOnce, underWay);
      await open.clock.outside.sleep(busyUntil - now, signal).finally(() => {
        underWay -= 1;
      });
    },
  });
  return { open, atOnce: () => atOnce };
}

const sizesOf = ({ open }: ReturnType<typeof slow>) => open.calls.map(({ inputs }) => inputs.length);

test("a batch too large for one attempt is done in halves, one after another", async () => {
  const server = slow(6);
  const { clock, route } = server.open;
  const inputs = texts(200);
  const { vectors } = await clock.until(answerThrough(route, inputs, clock.outside));
  expect(vectors).toEqual(inputs.map((text) => exactVector(text, 16)));
  const sizes = sizesOf(server);
  expect(sizes[0]).toBe(200);
  expect(Math.max(...sizes.slice(1))).toBeLessThanOrEqual(100);
  expect(server.atOnce()).toBe(1);
});

test("the next batch starts with what the server does in time, and grows again if it is fast", async () => {
  const server = slow(6);
  const { clock, route } = server.open;
  await clock.until(answerThrough(route, texts(200), clock.outside));
  const before = sizesOf(server).length;
  await clock.until(answerThrough(route, texts(200), clock.outside));
  expect(Math.max(...sizesOf(server).slice(before))).toBeLessThanOrEqual(100);
});

test("one text that is too slow gets an error that says what to change", async () => {
  const { clock, route } = slow(5_000, 1).open;
  const failure = await failureOf(clock.until(answerThrough(route, ["one"], clock.outside)));
  expect(failure.kind).toBe("timeout");
  for (const word of ["1000 ms", "timeout_ms", "max_inputs"]) expect(failure.message).toContain(word);
});
