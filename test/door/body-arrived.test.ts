/**
 * Errors that are sent before the body was read wait for it, if it is small and arrives.
 */
import { expect, test } from "bun:test";
import { bodyArrived } from "../../src/door/body-arrived";
import { fakeOutside } from "../fake-outside";

/** A request whose body the test sends later. */
function sending(headers: Readonly<Record<string, string>>) {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const request = new Request("http://gateway/", { method: "POST", headers, body: readable });
  const writer = writable.getWriter();
  return {
    request,
    async finish() {
      await writer.write(new TextEncoder().encode("{}"));
      await writer.close();
    },
  };
}

/** Whether it is done once everything that can run has run. */
async function isDone(work: Promise<void>): Promise<boolean> {
  let done = false;
  void work.then(() => {
    done = true;
  });
  await new Promise(setImmediate);
  await new Promise(setImmediate);
  return done;
}

test("a small body is waited for, and the alarm is called off", async () => {
  const { outside, sleeping } = fakeOutside();
  const { request, finish } = sending({ "content-length": "2" });
  const work = bodyArrived(request, outside);
  expect(await isDone(work)).toBe(false);
  await finish();
  await work;
  expect(sleeping()).toEqual([]);
});

test("one that does not come is waited for no longer than the alarm", async () => {
  const { outside, advance } = fakeOutside();
  const { request } = sending({ "content-length": "2" });
  const work = bodyArrived(request, outside);
  await advance(249);
  expect(await isDone(work)).toBe(false);
  await advance(1);
  await work;
});

test.each([
  ["a large one", { "content-length": "65537" }],
  ["one that says no length", {}],
  ["one whose length is no number", { "content-length": "many" }],
  ["none", { "content-length": "0" }],
])("%s is not waited for", async (_, headers) => {
  const { outside, sleeping } = fakeOutside();
  await bodyArrived(sending(headers).request, outside);
  expect(sleeping()).toEqual([]);
});

test("one that was read is not read again", async () => {
  const { outside } = fakeOutside();
  const { request, finish } = sending({ "content-length": "2" });
  const [text] = await Promise.all([request.text(), finish()]);
  expect(text).toBe("{}");
  await bodyArrived(request, outside);
});
