/**
 * What a plugin is before its first call: a name, a schema, an `open` that waits for nothing, a `close` that may come twice.
 * A new member of `Provider` or `Upstream` is asked for here.
 */
import { expect, test } from "bun:test";
import { Value } from "@sinclair/typebox/value";
import { KnownFacts } from "../../../src/facts";
import { callFor, openSubject, type Subject } from "./subject";

/** Keys under `providers.<name>` that are the gateway's own: a plugin that declares one would never see it. */
const GATEWAY_KEYS = ["plugin", "timeout_ms", "retries", "concurrency", "max_queue"];

export function keepsItsShape(subject: Subject): void {
  test("its id is a word that a routing file can say", () => {
    expect(openSubject(subject).provider.id).toMatch(/^[a-z][a-z0-9-]*$/);
  });

  test("its options are an object schema that refuses unknown keys and leaves the gateway's keys alone", () => {
    const { options } = openSubject(subject).provider;
    const filled = Value.Default(options, { ...subject.options });
    expect(options.type).toBe("object");
    expect(Value.Check(options, filled)).toBe(true);
    expect(Value.Check(options, Object.assign({}, filled, { surely_unknown: 1 }))).toBe(false);
    expect(Object.keys(options.properties).filter((key) => GATEWAY_KEYS.includes(key))).toEqual([]);
  });

  test("its calls at once, where it says them, are a whole number above zero", () => {
    const { concurrency = 1 } = openSubject(subject).provider;
    expect(Number.isInteger(concurrency) && concurrency > 0).toBe(true);
  });

  test("open waits for nothing, asks for nothing, and can be done twice", () => {
    const { provider, upstream, network, clock } = openSubject(subject);
    const second = provider.open(Value.Default(provider.options, { ...subject.options }));
    expect(upstream).not.toBeInstanceOf(Promise);
    expect(upstream.embed).toBeFunction();
    expect(second).not.toBe(upstream);
    expect(network.requests).toEqual([]);
    expect(clock.sleeping()).toEqual([]);
  });

  test("what it says of a model are facts that the gateway knows", () => {
    const facts = openSubject(subject).upstream.describe?.(subject.model) ?? {};
    expect([...Value.Errors(KnownFacts, facts)]).toEqual([]);
  });

  test("close can come before any call, after one, and twice", async () => {
    const unused = openSubject(subject).upstream;
    await unused.close?.();
    await unused.close?.();
    const used = openSubject(subject).upstream;
    const { vectors } = await used.embed(callFor(subject, ["a text before the end"]));
    await used.close?.();
    await used.close?.();
    expect(vectors).toHaveLength(1);
  });
}
