/**
 * A fake endpoint of OpenAI's embeddings API, with a clock that the test moves, and one measurement of it.
 * What an endpoint gets wrong is a `Twist`: it changes the answer of a good endpoint.
 */

import { PROBE_COST } from "../../src/bench/checks";
import { measure, type Result } from "../../src/bench/measure";
import type { BenchOptions } from "../../src/commands/bench";
import { settingsOf } from "../../src/commands/bench";
import { unlessAborted } from "../../src/domain/until";
import { fakeOutside } from "../fake-outside";

export interface Asked {
  readonly texts: readonly string[];
  readonly encoding: string;
  readonly dimensions: number | undefined;
  readonly headers: Headers;
  /** By the test's clock. */
  readonly at_ms: number;
  /** How many were in flight, including this one. */
  readonly underWay: number;
  /** Starting at 1. */
  readonly place: number;
}

export interface Entry {
  index: number;
  embedding: number[] | string;
}

export interface Good {
  data: Entry[];
  usage: { prompt_tokens: number } | undefined;
}

/** @returns another answer instead, or nothing if `good` was changed */
export type Twist = (good: Good, asked: Asked) => Response | undefined | Promise<Response | undefined>;

export const SIZE = 8;
export const LATENCY_MS = 10;

/** Of unit length, and different for each text. */
export function vectorOf(text: string, size = SIZE): number[] {
  const bytes = new Uint8Array(new Bun.CryptoHasher("sha256").update(text).digest()).slice(0, size);
  const raw = Array.from(bytes, (byte) => byte - 127.5);
  const length = Math.hypot(...raw);
  return raw.map((value) => Math.fround(value / length));
}

export const base64Of = (numbers: readonly number[]): string =>
  new Uint8Array(Float32Array.from(numbers).buffer).toBase64();

export function goodAnswer(texts: readonly string[], encoding: string, size = SIZE): Good {
  return {
    data: texts.map((text, index) => {
      const vector = vectorOf(text, size);
      return { index, embedding: encoding === "base64" ? base64Of(vector) : vector };
    }),
    usage: { prompt_tokens: texts.length * 16 },
  };
}

export interface Measured {
  readonly result: Result;
  readonly asked: readonly Asked[];
  readonly said: readonly string[];
  /** What a terminal would show. */
  readonly bar: readonly string[];
}

const DEFAULTS = {
  url: "http://embeddings.test/v1",
  model: "m",
  inputs: 1,
  tokens: 16,
  connections: 4,
  encoding: "float",
} as const;

export async function measured(
  options: Partial<BenchOptions> = {},
  twist: Twist = () => undefined,
  stop = new AbortController().signal,
): Promise<Measured> {
  const asked: Asked[] = [];
  const said: string[] = [];
  const bar: string[] = [];
  let underWay = 0;

  async function answer(init: RequestInit): Promise<Response> {
    const request = new Request(DEFAULTS.url, init);
    const { input, encoding_format: encoding, dimensions } = await request.json();
    const texts: string[] = [input].flat();
    const at_ms = world.outside.monotonic();
    const one = {
      texts,
      encoding,
      dimensions,
      headers: request.headers,
      at_ms,
      underWay,
      place: asked.length + 1,
    };
    asked.push(one);
    await world.outside.sleep(LATENCY_MS, init.signal ?? undefined);
    const good = goodAnswer(texts, encoding, dimensions);
    const signal = init.signal ?? stop;
    return (await unlessAborted(signal, Promise.resolve(twist(good, one)))) ?? Response.json(good);
  }

  const world = fakeOutside({
    async fetch(_, init) {
      underWay += 1;
      try {
        return await answer(init);
      } finally {
        underWay -= 1;
      }
    },
  });
  const all = { ...DEFAULTS, ...options };
  const settings = settingsOf({ ...all, ...(all.requests && { requests: allFor(all.requests) }) }, {});
  if (typeof settings === "string") throw new Error(settings);
  const watch = {
    say: (words: string) => said.push(words),
    at: (_: number, words: string) => bar.push(words),
  };
  const result = await world.until(measure(settings, world.outside, watch, stop));
  return { result, asked, said, bar };
}

/** `--requests` for a load of this many: requests that check the vectors count too, and so do repeated ones. */
export const allFor = (load: number) => PROBE_COST.requests + load + Math.min(8, load);

/** As people read them: what went wrong, and the message. */
export const wrongs = ({ result }: Measured): string[] =>
  result.checks.filter(({ outcome }) => outcome === "wrong").map(({ check, why }) => `${check}: ${why}`);
