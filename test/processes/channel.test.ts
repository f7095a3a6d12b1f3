/**
 * Messages between two processes: each question gets its own answer, whatever the other side is or does.
 * Two channels are connected directly; processes.test.ts has processes.
 */
import { expect, test } from "bun:test";
import { Type } from "@sinclair/typebox";
import { type Handlers, openChannel } from "../../src/processes/channel";
import { fakeOutside } from "../fake-outside";

function faceToFace(handlers: Handlers) {
  const { outside, logs } = fakeOutside();
  const here = openChannel((message) => there.hear(message), {}, outside);
  const there = openChannel((message) => here.hear(message), handlers, outside);
  return { here, there, logs };
}

test("answers reach their own questions, in whatever order", async () => {
  const slow = Promise.withResolvers<string>();
  const { here } = faceToFace({ slow: () => slow.promise, quick: (body) => `${body}!` });
  const waiting = here.ask("slow", undefined, Type.String());
  expect(await here.ask("quick", "now", Type.String())).toBe("now!");
  slow.resolve("at last");
  expect(await waiting).toBe("at last");
});

test("a failure, an unknown question and an answer of another shape are errors, never silence", async () => {
  const { here } = faceToFace({
    fails: () => {
      throw new Error("no good");
    },
    word: () => "seven",
  });
  await expect(here.ask("fails", undefined, Type.String())).rejects.toThrow("no good");
  await expect(here.ask("unheard-of", undefined, Type.String())).rejects.toThrow("unheard-of");
  await expect(here.ask("word", undefined, Type.Integer())).rejects.toThrow();
});

test("a failure that nobody waits for is in the log", async () => {
  const { here, logs } = faceToFace({});
  here.tell("unheard-of");
  await Promise.resolve();
  expect(logs).toMatchObject([{ level: "error", about: { kind: "unheard-of" } }]);
});

test("a question to a process that ends fails, and so do later ones", async () => {
  const { here } = faceToFace({ never: () => new Promise(() => undefined) });
  const waiting = here.ask("never", undefined, Type.String());
  here.end("it has ended");
  await expect(waiting).rejects.toThrow("it has ended");
  await expect(here.ask("never", undefined, Type.String())).rejects.toThrow("it has ended");
});
