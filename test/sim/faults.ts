/**
 * Everything that upstream servers do wrong, or oddly but correctly, by name. Each says which status codes it may cause at the gateway
 * (none: the request must succeed anyway) and which pain it stands for. A new fault is a row of FAULTS; every seed may draw it.
 */
import { gzipSync } from "bun";
import {
  comeBack,
  data,
  delivered,
  envelope,
  type Fault,
  members,
  noReply,
  oneVector,
  refusal,
  type Scene,
} from "./spoil";
import { base64Of } from "./truth";
import { STARTED_AT } from "./world";

const HTML = "<!doctype html><html><head><title>Gateway</title></head><body>Please log in.</body></html>";
const packed = (values: readonly number[]) => base64Of(Float32Array.from(values));
const echoed = (key: string) =>
  `Denied for Authorization: Bearer ${key} (key ${key}, escaped ${encodeURIComponent(key)}).`;
const inRightEncoding = (values: readonly number[], { encoding }: Scene) =>
  encoding === "base64" ? packed(values) : values;
const bodyText = ({ right }: Scene) => String(right.body);
const lasting = { isLasting: true };

export const FAULTS = {
  // Odd, but correct: the request must succeed.
  shuffled: data("D3", [], (entries, { random }) => random.shuffled(entries)),
  reversed: data("D3", [], (entries) => entries.reverse()),
  "other encoding than asked": data("D1 D14 D15 D16", [], (entries, { vectors, encoding }) =>
    entries.map((entry, i) => {
      const vector = vectors[i] ?? new Float32Array();
      return { ...entry, embedding: encoding === "float" ? base64Of(vector) : [...vector] };
    }),
  ),
  "no index": data("D14", [], (entries) => entries.map(({ object, embedding }) => ({ object, embedding }))),
  "index null": data("D14", [], (entries) => entries.map((entry) => ({ ...entry, index: null }))),
  "no usage": members("D25", "guess", { usage: undefined }),
  "usage null": members("D25", "guess", { usage: null }),
  "negative usage": members("D5", "guess", { usage: { prompt_tokens: -1, total_tokens: -1 } }),
  "unknown model name": members("D27", "exact", { model: "internal-deployment-7" }),
  "no model name": members("D27", "exact", { model: undefined }),
  "wrong content type": delivered("seen", [], () => ({ headers: { "content-type": "text/html" } })),
  "slow but in time": delivered("D26", [], ({ timeoutMs, random }) => ({
    delayMs: timeoutMs * 0.9 * random.number(),
  })),
  "drip in time": delivered("seen", [], ({ timeoutMs }) => ({
    delivery: "drip",
    delayMs: timeoutMs * 0.1,
    dripMs: timeoutMs * 0.5,
  })),

  // No answer, or not in time.
  "past the attempt's time": delivered("D26", [504], ({ timeoutMs }) => ({ delayMs: timeoutMs * 1.31 })),
  "past the deadline": delivered("D26", [504], ({ deadlineMs }) => ({ delayMs: deadlineMs * 1.17 })),
  "no answer": delivered("D26", [504], () => ({ delivery: "never" })),
  "drip past the attempt's time": delivered("seen", [504], ({ timeoutMs }) => ({
    delivery: "drip",
    dripMs: timeoutMs * 3,
  })),
  "reset before the answer": delivered("seen", [503], () => ({ delivery: "reset before" })),
  "reset within the body": delivered("seen", [503], () => ({ delivery: "reset within" })),
  "wrong content encoding": delivered("seen", [502, 503], () => ({ delivery: "undecodable" })),

  // 200, and no valid reply.
  "half a body": noReply("seen", (scene) => bodyText(scene).slice(0, Math.floor(bodyText(scene).length / 2))),
  "HTML with 200": noReply("D7", () => HTML),
  "empty body": noReply("seen", () => ""),
  "body null": noReply("seen", () => "null"),
  "an error with 200": noReply("D14", () => JSON.stringify({ error: { message: "no", code: 500 } })),
  "a second document behind": noReply("seen", (scene) => `${bodyText(scene)}{}`),
  "invalid UTF-8": noReply("seen", (scene) => {
    const encoded = new TextEncoder().encode(bodyText(scene));
    encoded[encoded.lastIndexOf(0x65)] = 0xff;
    return encoded;
  }),
  "gzip without its header": noReply("seen", (scene) => gzipSync(bodyText(scene))),

  // 200, and a wrong reply.
  "empty data": data("D14", [502], () => []),
  "one too few": data("D4 D5 D6", [502], (entries) => entries.slice(1)),
  "the last one missing": data("D4 D5 D6", [502], (entries) => entries.slice(0, -1)),
  "one too many": data("D3", [502], (entries) => [...entries, ...entries.slice(0, 1)]),
  "one too many, new index": data("D3", [502], (entries) => [
    ...entries,
    ...entries.slice(0, 1).map((entry) => ({ ...entry, index: entries.length })),
  ]),
  "all with index 0": data("D3", [502], (entries) =>
    entries.length > 1 ? entries.map((entry) => ({ ...entry, index: 0 })) : [...entries, ...entries],
  ),
  "first index again": data("D3", [502], (entries) =>
    entries.length > 1
      ? entries.map((entry, i) => (i === entries.length - 1 ? { ...entry, index: 0 } : entry))
      : [...entries, ...entries],
  ),
  "index from one": data("D3", [502], (entries) => entries.map((entry, i) => ({ ...entry, index: i + 1 }))),
  "negative index": data("D3", [502], (entries) => entries.map((entry, i) => ({ ...entry, index: i - 1 }))),
  "index not whole": data(
    "D3",
    [502],
    (entries) => entries.map((entry, i) => ({ ...entry, index: i + 0.5 })),
    "maybe",
  ),
  "index a string": data(
    "D3",
    [502],
    (entries) => entries.map((entry, i) => ({ ...entry, index: String(i) })),
    "maybe",
  ),
  "one size smaller": oneVector("D19", (values, scene) => inRightEncoding(values.slice(1), scene)),
  "all a quarter wide": data("D1", [502], (entries, { vectors }) =>
    entries.map((entry, i) => {
      const values = [...(vectors[i] ?? [])];
      // A vector of one number has no quarter: it gets none at all.
      return { ...entry, embedding: values.slice(0, Math.floor(values.length / 4)) };
    }),
  ),
  "one size larger": oneVector("D19", (values, scene) => inRightEncoding([...values, 0.5], scene)),
  "no numbers": oneVector("D14", () => []),
  "null for a number": oneVector("D22", (values) => [null, ...values.slice(1)], "maybe"),
  "NaN as a string": oneVector("D22", (values) => ["NaN", ...values.slice(1)], "maybe"),
  "NaN in base64": oneVector("D22", (values) => packed([Number.NaN, ...values.slice(1)])),
  "infinite in base64": oneVector("D22", (values) => packed([...values.slice(1), Number.NEGATIVE_INFINITY])),
  // A model's result for a text with only unknown words: reported at once, since a retry would not change it.
  "zero vector": {
    ...oneVector("D22", (values, scene) =>
      inRightEncoding(
        values.map(() => 0),
        scene,
      ),
    ),
    excuses: [400],
    ...lasting,
  },
  "beyond float32": oneVector("D22", (values) => [1e39, ...values.slice(1)]),
  "base64 cut": oneVector("D1", (values) => packed(values).slice(0, -5), "maybe"),
  "not base64": oneVector("D1", () => "@@@@", "maybe"),
  "another model": {
    pain: "D27",
    excuses: [502],
    counts: "exact",
    // If the requested name is unknown, another name proves nothing: then only the name is changed.
    spoil: ({ isKnownModel, foreignEntries, entries, bodyOf }) => ({
      body: bodyOf(isKnownModel ? foreignEntries : entries, { model: "text-embedding-3-large" }),
    }),
  },

  // Refusals.
  "429": refusal("D13", 429, [503]),
  "429, come back in seconds": comeBack(429, ({ random }) => {
    const seconds = random.integer(1, 90);
    return { headers: { "retry-after": String(seconds) }, waitMs: seconds * 1000 };
  }),
  "429, come back at a date": comeBack(429, ({ random, elapsedMs }) => {
    const waitMs = random.integer(-5_000, 20_000);
    return { headers: { "retry-after": new Date(STARTED_AT + elapsedMs + waitMs).toUTCString() }, waitMs };
  }),
  "429, come back in milliseconds": comeBack(429, ({ random }) => {
    const waitMs = random.integer(1, 9_000);
    return { headers: { "retry-after-ms": String(waitMs) }, waitMs };
  }),
  "429, come back at no time": refusal("seen", 429, [503], { headers: { "retry-after": "soon" } }),
  "429, empty balance": refusal("seen", 429, [503], { code: "insufficient_quota", ...lasting }),
  "402": refusal("seen", 402, [503], lasting),
  "500": refusal("seen", 500, [503]),
  "502": refusal("seen", 502, [503]),
  "503, come back in seconds": comeBack(503, () => ({ headers: { "retry-after": "1" }, waitMs: 1000 })),
  "529": refusal("seen", 529, [503]),
  "401": refusal("seen", 401, [503], lasting),
  "403": refusal("seen", 403, [503], lasting),
  "404": refusal("D28", 404, [404], { code: "model_not_found", ...lasting }),
  redirect: refusal("seen", 307, [502], { headers: { location: "http://169.254.169.254/latest/meta-data" } }),

  // Our own key, quoted.
  "key in a 401": {
    pain: "seen",
    excuses: [503],
    counts: "maybe",
    isLasting: true,
    spoil: ({ key }) => ({
      status: 401,
      body: envelope(`Incorrect API key provided: ${key}.`, "invalid_api_key"),
    }),
  },
  "key in a 400": {
    pain: "seen",
    excuses: [400],
    counts: "maybe",
    isLasting: true,
    spoil: ({ key }) => ({ status: 400, body: envelope(echoed(key)) }),
  },
  "key in a page": {
    pain: "seen",
    excuses: [503],
    counts: "maybe",
    spoil: ({ key }) => ({ status: 503, body: `<html>${echoed(key)}</html>` }),
  },
  "key in a page with 200": noReply("seen", ({ key }) => `<html>${echoed(key)}</html>`),
  "key for a number": oneVector("seen", (_, { key }) => [key], "maybe"),
} as const satisfies Readonly<Record<string, Fault>>;

export type FaultName = keyof typeof FAULTS;

const isFaultName = (name: string): name is FaultName => name in FAULTS;
export const FAULT_NAMES: readonly FaultName[] = Object.keys(FAULTS).filter(isFaultName);

/** By name, with the general type. */
export const faultNamed = (name: FaultName): Fault => FAULTS[name];
