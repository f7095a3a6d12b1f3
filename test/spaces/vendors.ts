/**
 * Fake vendors: each host has OpenAI's API with a vector function that the test can change, or is down.
 * A test about another kind of failure passes its own `answer`.
 */
import { exactVector } from "../../plugins/fake";
import { GatewayError } from "../../src/domain/errors";
import { isLong, PROBES } from "../../src/domain/probes";
import { type OpenGateway, type Opening, openGateway } from "../gateway";
import { turns } from "../stores/under-way";

export const SHORT_TEXTS: string[] = PROBES.filter((probe) => !isLong(probe)).map(({ text }) => text);
export const LONG_TEXT = PROBES.find(isLong)?.text ?? "";
export const isProbe = (texts: readonly string[]) =>
  texts.every((text) => PROBES.some((one) => one.text === text));

export interface Vendor {
  /** undefined: it answers 503. */
  vectorOf: ((text: string, model: string) => Float32Array) | undefined;
  /** Every list of inputs that it was sent. */
  readonly asked: string[][];
  /** Its answer waits for this. */
  before?: (texts: readonly string[]) => Promise<void> | undefined;
}

/** The model that the names stand for. */
export const rightModel = (text: string) => exactVector(`right ${text}`, 8);
export const otherModel = (text: string) => exactVector(`other ${text}`, 8);

export interface Vendors {
  readonly byHost: Readonly<Record<"a" | "b", Vendor>>;
  readonly open: (changed?: Partial<Opening>) => Promise<OpenGateway>;
  /** Lets everything run that can, until no call was made for several turns. */
  readonly quiet: () => Promise<void>;
}

export const LONE = `
providers: { a: { plugin: openai, base_url: "http://a/v1", retries: 0 } }
models: { m: { routes: [ { provider: a } ], dimensions: 8, normalized: true, price: 1 } }
`;

export const TWO = `
providers:
  a: { plugin: openai, base_url: "http://a/v1", retries: 0 }
  b: { plugin: openai, base_url: "http://b/v1", retries: 0 }
models: { m: { routes: [ { provider: a }, { provider: b } ], dimensions: 8, price: 1 } }
`;

export function vendors(yaml: string): Vendors {
  const byHost: Record<"a" | "b", Vendor> = {
    a: { vectorOf: rightModel, asked: [] },
    b: { vectorOf: rightModel, asked: [] },
  };
  let calls = 0;
  const fetch = async (url: string, { body }: RequestInit) => {
    calls += 1;
    const host = new URL(url).hostname;
    const vendor: Vendor | undefined = host === "a" || host === "b" ? byHost[host] : undefined;
    if (!vendor) throw new GatewayError("unavailable", `No such host: ${host}`);
    const { input, model } = JSON.parse(String(body));
    const texts: string[] = Array.isArray(input) ? input : [input];
    vendor.asked.push(texts);
    await vendor.before?.(texts);
    const { vectorOf } = vendor;
    if (!vectorOf) return new Response("down", { status: 503 });
    const data = texts.map((text, index) => ({
      object: "embedding",
      index,
      embedding: [...vectorOf(text, model)],
    }));
    const usage = { prompt_tokens: texts.length, total_tokens: texts.length };
    return Response.json({ object: "list", data, model, usage });
  };
  return {
    byHost,
    open: (changed) => openGateway({ yaml, ...changed, outside: { fetch, ...changed?.outside } }),
    async quiet() {
      let seen = -1;
      for (let turn = 0; turn < 30 || seen !== calls; turn++) {
        if (seen !== calls) turn = 0;
        seen = calls;
        await turns(1);
      }
    },
  };
}

/** One database for several lives of the gateway. */
export const lastingYaml = (yaml: string, open: OpenGateway): string => `${yaml}\n${open.lasting().yaml}`;
