/**
 * A vendor with OpenAI's API, behind a gateway with a cache: tests see what was sent to the vendor and what came back.
 * A test about another kind of answer sets `answer`; the right one depends on the input only (`vectorFor`).
 */
import { Database } from "bun:sqlite";
import { join } from "node:path";
import { exactVector } from "../../plugins/fake";
import { type OpenGateway, type Opening, openGateway, type Sent } from "../gateway";
import { turns } from "../stores/under-way";

export type Asked = string | number[];

export interface Call {
  readonly url: string;
  readonly input: readonly Asked[];
  readonly body: Readonly<Record<string, unknown>>;
}

interface Item {
  readonly index: number;
  readonly embedding: number[];
}

/** The parts of a right answer, for a test to spoil. */
export interface Reply {
  readonly data: readonly Item[];
  readonly tokens: number;
}

export interface Vendor {
  readonly calls: Call[];
  /** Its answer; the right answer by default. */
  answer: (call: Call, right: Reply) => Response | Promise<Response>;
}

export const SIZE = 8;

/** `size` is what the vendor was asked for; everything else in the body that affects a vector affects this one too. */
export function vectorFor(input: Asked, about: unknown = "", size = SIZE): Float32Array {
  const content = typeof input === "string" ? `text ${input}` : `ids ${input.join(" ")}`;
  return exactVector(`${content} ${JSON.stringify(about)}`, size);
}

/** One token per word. */
export const tokensOf = (input: Asked) =>
  typeof input === "string" ? input.split(/\s+/).filter(Boolean).length : input.length;

export const rightly = ({ data, tokens }: Reply) =>
  Response.json({
    object: "list",
    data: data.map((item) => ({ object: "embedding", ...item })),
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  });

/** Retries are off, so that each call has one reason. */
export function routing({ cache = "{ memory_mb: 8 }", model = "", provider = "", more = "" } = {}): string {
  return `
providers: { a: { plugin: openai, base_url: "http://a/v1", retries: 0${provider && `, ${provider}`} } }
space_probe: false
cache: ${cache}
models:
  m:
    routes: [ { provider: a } ]
    ${model.includes("dimensions:") ? "" : `dimensions: ${SIZE}`}
    price: 1
    token_ids: native
    ${model}
${more}
`;
}

export interface Opened extends OpenGateway {
  readonly vendor: Vendor;
}

/** @param yaml without it: the one model `m` and a cache in memory */
export async function openBefore(yaml = routing(), changed: Partial<Opening> = {}): Promise<Opened> {
  const vendor: Vendor = { calls: [], answer: (_, right) => rightly(right) };
  const fetch = async (url: string, { body, signal }: RequestInit) => {
    const call = callOf(url, String(body));
    vendor.calls.push(call);
    const { input_type, extra, dimensions = SIZE } = call.body;
    const data = call.input.map((input, index) => ({
      index,
      embedding: [...vectorFor(input, [input_type, extra], Number(dimensions))],
    }));
    const tokens = call.input.reduce((sum: number, input) => sum + tokensOf(input), 0);
    return unlessGone(
      signal,
      Promise.resolve().then(() => vendor.answer(call, { data, tokens })),
    );
  };
  const open = await openGateway({
    readsFile: true,
    yaml,
    ...changed,
    outside: { fetch, ...changed.outside },
  });
  return Object.assign(open, { vendor });
}

function callOf(url: string, text: string): Call {
  const body: Record<string, unknown> = JSON.parse(text);
  return { url, input: Array.isArray(body.input) ? body.input : [String(body.input)], body };
}

/** Like the network: a cancelled call never returns an answer. */
function unlessGone(signal: AbortSignal | null | undefined, answer: Promise<Response>): Promise<Response> {
  if (!signal) return answer;
  const { promise, reject } = Promise.withResolvers<never>();
  if (signal.aborted) reject(signal.reason);
  else signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  return Promise.race([answer, promise]);
}

/** Lets everything run that can. */
export async function quiet(): Promise<void> {
  await turns(30);
}

export const cacheOf = ({ headers }: Pick<Sent, "headers">) => headers.get("x-embedgate-cache");

export const vectorsOf = ({ json }: Pick<Sent, "json">): number[][] =>
  Object(json).data.map(({ embedding }: { embedding: number[] }) => [...Float32Array.from(embedding)]);

/** The vectors that a request for these inputs must get. */
export const expected = (inputs: readonly Asked[], about: unknown = [undefined, undefined], size = SIZE) =>
  inputs.map((input) => [...vectorFor(input, about, size)]);

export interface Row {
  readonly [column: string]: unknown;
}

export function rowsOf({ folder }: Pick<OpenGateway, "folder">): Row[] {
  const database = new Database(join(folder, "data/embedgate.db"), { readonly: true });
  const rows = database.query<Row, []>("SELECT * FROM ledger ORDER BY rowid").all();
  database.close();
  return rows;
}
