/**
 * What a plugin sends: one request a call, to the right address, with the caller's `extra_body` under its own words.
 * What only one vendor's wire asks for stands in that plugin's own test.
 */
import { expect, test } from "bun:test";
import { fakeOutside } from "../../fake-outside";
import { callFor, openSubject, type Subject } from "./subject";

export function sendsRight(subject: Subject): void {
  test("one call is one POST of JSON", async () => {
    const { upstream, network } = openSubject(subject);
    await upstream.embed(callFor(subject, ["one", "two", "three"]));
    expect(network.requests).toHaveLength(1);
    expect(network.requests[0]?.method).toBe("POST");
    expect(network.requests[0]?.headers.get("content-type")).toMatch(/^application\/json\b/);
    expect(JSON.parse(network.requests[0]?.body ?? "")).toBeObject();
  });

  test("extra_body is merged into the body, under everything that the plugin itself sets", async () => {
    const { upstream, network } = openSubject(subject);
    const texts = ["what was asked"];
    await upstream.embed(callFor(subject, texts));
    const plain: unknown = JSON.parse(network.requests[0]?.body ?? "");
    // The vendor need not know the extra field: what is judged is what was sent.
    const vendor = subject.vendor;
    network.answer(
      () => new Response(vendor?.replyBody([{ index: 0, values: vendor.vectorOf("what was asked") }])),
    );
    const hostile = Object.fromEntries(
      Object.keys(Object(plain)).map((key) => [key, "not the caller's to set"]),
    );
    await upstream.embed(
      callFor(subject, texts, { extraBody: { ...hostile, an_extra_field: { deep: [1] } } }),
    );
    expect(JSON.parse(network.requests[1]?.body ?? "")).toEqual({
      ...Object(plain),
      an_extra_field: { deep: [1] },
    });
  });

  test("each word that it has for a task is sent, and taken", async () => {
    const { provider, upstream, network } = openSubject(subject);
    const words = [undefined, ...new Set(Object.values(provider.tasks?.words ?? {}))];
    for (const task of words) {
      const { vectors } = await upstream.embed(callFor(subject, ["a text"], { task }));
      expect(vectors).toHaveLength(1);
    }
    expect(new Set(network.requests.map(({ body }) => body)).size).toBe(words.length);
  });

  for (const [options, url] of subject.addresses ?? []) {
    test(`with ${JSON.stringify(options)} it asks ${url}`, async () => {
      const { upstream, network } = openSubject(subject, options);
      const vendor = subject.vendor;
      network.answer(
        () => new Response(vendor?.replyBody([{ index: 0, values: vendor.vectorOf("a text") }])),
      );
      await upstream.embed(callFor(subject, ["a text"]));
      expect(network.requests.map((request) => request.url)).toEqual([url]);
    });
  }

  test("a signal that fires during the call ends the call", async () => {
    const { upstream, network } = openSubject(subject);
    network.answer(() => new Promise(() => undefined));
    const controller = new AbortController();
    let ended = false;
    const call = upstream.embed(callFor(subject, ["waits"], { signal: controller.signal })).then(
      () => undefined,
      () => {
        ended = true;
      },
    );
    const turns = fakeOutside();
    await turns.advance(0);
    expect([network.requests.length, ended]).toEqual([1, false]);
    controller.abort(new Error("the time is over"));
    await turns.advance(0);
    expect(ended).toBe(true);
    await call;
  });
}
