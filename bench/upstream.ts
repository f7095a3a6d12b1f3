/**
 * A fake provider that is not the bottleneck: entries are encoded once, and an answer joins them. It is its own process and prints its port.
 * `/far/v1` answers 100 ms later. If the files of a certificate and its key are given as arguments, it serves https. Floats are printed like most
 * servers do, each float32 as the double that equals it.
 */
import { NUMBER_DIGITS } from "../src/bench/texts";
import { numberIn, TOKENS, toBase64, VARIANTS, vectorsOf } from "./texts";

const FAR_MS = 100;
const dimensions = Number(process.argv[2] ?? 1536);
const vectors = vectorsOf(dimensions);
const EMBEDDINGS = {
  float: vectors.map((vector) => Buffer.from(`,"embedding":[${vector.join(",")}]}`)),
  base64: vectors.map((vector) => Buffer.from(`,"embedding":"${toBase64(vector)}"}`)),
};
const starts = Array.from({ length: 2048 }, (_, index) =>
  Buffer.from(`${index === 0 ? "" : ","}{"object":"embedding","index":${index}`),
);
const HEAD = Buffer.from('{"object":"list","data":[');

/** Answers of the same size whose first text has the same variant are the same bytes, and are kept. */
const known = new Map<string, Uint8Array<ArrayBuffer>>();

function answerTo(body: string): Uint8Array<ArrayBuffer> {
  const encoding = body.includes('"base64"') ? "base64" : "float";
  const first = body.indexOf('"#');
  const numbers: number[] = [];
  for (let at = first; at !== -1; at = body.indexOf('"#', at + NUMBER_DIGITS))
    numbers.push(numberIn(body, at + 1));
  // Other texts come from the gateway itself, which measures its spaces.
  if (first === -1) {
    const { input }: { input: string | string[] } = JSON.parse(body);
    for (const text of [input].flat()) numbers.push(Number(Bun.hash.crc32(text)));
  }
  const variants = numbers.map((number) => number % VARIANTS);
  const isRun = variants.every((variant, i) => variant === ((variants[0] ?? 0) + i) % VARIANTS);
  const key = `${encoding} ${variants.length} ${variants[0]}`;
  const before = isRun ? known.get(key) : undefined;
  if (before) return before;
  const pieces: Uint8Array[] = [HEAD];
  for (const [place, variant] of variants.entries()) {
    const start = starts[place];
    const embedding = EMBEDDINGS[encoding][variant];
    if (start && embedding) pieces.push(start, embedding);
  }
  const tokens = variants.length * TOKENS;
  const usage = `"usage":{"prompt_tokens":${tokens},"total_tokens":${tokens}}`;
  pieces.push(Buffer.from(`],"model":"text-embedding-3-small",${usage}}`));
  const answer = Buffer.concat(pieces);
  if (isRun && answer.byteLength < 2 ** 22) known.set(key, answer);
  // Of large answers only that of variant 0 is kept: all large requests begin with it (bench/load.ts).
  else if (isRun && variants[0] === 0) known.set(key, answer);
  return answer;
}

const [cert, key] = process.argv.slice(3);
const server = Bun.serve({
  port: 0,
  ...(cert !== undefined && key !== undefined && { tls: { cert: Bun.file(cert), key: Bun.file(key) } }),
  hostname: "127.0.0.1",
  idleTimeout: 0,
  maxRequestBodySize: 2 ** 30,
  async fetch(request) {
    const answer = answerTo(await request.text());
    if (request.url.includes("/far/")) await Bun.sleep(FAR_MS);
    return new Response(answer, { headers: { "content-type": "application/json" } });
  },
});
console.log(server.port);
