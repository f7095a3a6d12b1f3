/**
 * A Worker's entry: takes a `Setup`, then `Job`s, and answers each with an `Answer`. It must be among the entry points when the
 * executable is built. Unexpected errors are not caught here: they end the Worker, and the pool tells the caller and starts another one.
 */
import { readFileSync } from "node:fs";
import { openKernel } from "./kernels";
import type { Answer, Job, Setup } from "./messages";
import { Model } from "./model";
import { cut, join } from "./pieces";
import { Tokenizer } from "./tokenizer";
import vocabularyPath from "./weights/vocab.txt" with { type: "file" };

declare const self: Worker;

// The executable starts each thread with a delayed JIT (.ci/build.ts): this ends the delay.
Bun.unsafe.setJITPolicy(1);

const tokenizer = new Tokenizer(readFileSync(vocabularyPath, "utf8"));

self.onmessage = ({ data: setup }: MessageEvent<Setup>) => {
  const model = new Model(tokenizer, openKernel(setup));
  self.onmessage = ({ data }: MessageEvent<Job>) => {
    const answer = work(data, model);
    self.postMessage(answer, answer.kind === "embedded" ? [answer.vectors.buffer] : []);
  };
};

function work({ inputs, longInput, abandoned }: Job, model: Model): Answer {
  const pieces = cut(inputs, longInput, tokenizer);
  if (pieces.kind === "refused") return pieces;
  const { byInput, tokensByInput, truncated, averaged } = pieces;
  const vectors = model.embed(byInput.flat(), () => Atomics.load(abandoned, 0) !== 0);
  if (vectors === undefined) return { kind: "abandoned" };
  return { kind: "embedded", vectors: join(byInput, vectors), tokensByInput, truncated, averaged };
}
