/**
 * A plugin before its first call: a name, a schema, an `open` that does not wait, a `close` that may be called twice.
 * A new member of `Provider` or `Upstream` is required here.
 */
import { Value } from "@sinclair/typebox/value";
import { closedSchema } from "../config/check";
import { isObjectSchema } from "../config/provider-shape";
import { KnownFacts } from "../domain/facts";
import type { Bench, Check } from "./bench";
import { demand } from "./breach";
import { callFor, openPlugin } from "./subject";

/** The gateway's own keys under `providers.<name>`: a plugin that declares one would never see it. */
const GATEWAY_KEYS = [
  "plugin",
  "timeout_ms",
  "retries",
  "concurrency",
  "max_queue",
  "allow_fields",
  "coalesce_ms",
  "warm",
];

export function keepsItsShape(bench: Bench): Check[] {
  const { subject, open, outside } = bench;
  return [
    {
      name: "id is lower case letters, digits and dashes",
      run() {
        const { id } = open().provider;
        demand(
          /^[a-z][a-z0-9-]*$/.test(id),
          `Its id is "${id}": it must be lower case letters, digits and dashes.`,
        );
      },
    },
    {
      name: "options is an object schema that refuses unknown keys and declares none of the gateway's",
      run() {
        const { options } = open().provider;
        demand(isObjectSchema(options), "Its options must be made with host.t.Object({…}).");
        // The gateway closes the schema itself if the plugin left it open.
        const schema = closedSchema(options);
        const filled = Value.Default(schema, { ...subject.options });
        const taken = GATEWAY_KEYS.filter((key) => key in Object(options.properties));
        demand(taken.length === 0, `Its options declare '${taken[0]}', which is a key of the gateway.`);
        demand(
          Value.Check(schema, filled) &&
            !Value.Check(schema, Object.assign({}, filled, { surely_unknown: 1 })),
          "Its options accept unknown keys, so that a mistyped key would pass.",
        );
      },
    },
    {
      name: "concurrency, if declared, is an integer above zero",
      run() {
        const { concurrency = 1 } = open().provider;
        demand(
          Number.isInteger(concurrency) && concurrency > 0,
          `Its concurrency is ${concurrency}: it must be a whole number above zero.`,
        );
      },
    },
    {
      name: "open() makes no network call, sets no timer, and can be called twice",
      run() {
        let sleeps = 0;
        const world = outside();
        const sleep: typeof world.sleep = (ms, signal) => {
          sleeps += 1;
          return world.sleep(ms, signal);
        };
        const { provider, upstream, network } = openPlugin(subject, { ...world, sleep });
        const second = provider.open(Value.Default(provider.options, { ...subject.options }));
        demand(
          !(upstream instanceof Promise),
          "open returned a promise: it must return the upstream itself.",
        );
        demand(typeof upstream.embed === "function", "open returned an object without a function embed.");
        demand(
          second !== upstream,
          "open returned the same upstream twice: each provider must have its own.",
        );
        demand(network.requests.length === 0, "open sent a network request: connect on the first call.");
        demand(sleeps === 0, "open started a timer: it must not wait.");
      },
    },
    {
      name: "describe() returns known facts only",
      run() {
        const facts = open().upstream.describe?.(subject.model) ?? {};
        const [wrong] = Value.Errors(KnownFacts, facts);
        demand(
          !wrong,
          `describe("${subject.model}") says '${wrong?.path.slice(1)}', which is wrong: ${wrong?.message}.`,
        );
      },
    },
    {
      name: "close() can be called before any call, after one, and twice",
      asks: true,
      async run() {
        const unused = open().upstream;
        await unused.close?.();
        await unused.close?.();
        const used = open().upstream;
        const { vectors } = await used.embed(callFor(subject, ["a text before the end"]));
        await used.close?.();
        await used.close?.();
        demand(vectors.length === 1, `It returned ${vectors.length} vectors for one input.`);
      },
    },
  ];
}
