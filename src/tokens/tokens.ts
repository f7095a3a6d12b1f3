/**
 * Decodes, counts and cuts by tokens, off the event loop: the gateway's side of src/tokens/worker.ts.
 * The Worker starts with the first job (its vocabulary takes 60 ms and 40 MB), and again after a failure.
 */
import type { EndSignal } from "../domain/ending";
import { GatewayError } from "../domain/errors";
import type { Cancel, Done, Job } from "./jobs";
import type { Token } from "./token";
import type { CountingName, Cut, VocabularyName } from "./vocabulary";

export type { Cut } from "./vocabulary";

export interface Tokens {
  /**
   * One text per array of ids.
   * @throws GatewayError invalid, with the index of the array at fault; here and below the signal's reason, if a signal is given
   */
  decode(
    vocabulary: VocabularyName,
    ids: readonly Uint32Array[],
    signal?: EndSignal,
  ): Promise<readonly string[]>;
  /** By index: the text of each array that is valid only together with a character that was split between it and its neighbour. */
  mend(
    vocabulary: VocabularyName,
    ids: readonly Uint32Array[],
    signal?: EndSignal,
  ): Promise<readonly (string | undefined)[]>;
  /** The tokens of each text; for a text with more than `limit` the result is limit + 1. */
  count(
    vocabulary: CountingName,
    texts: readonly string[],
    limit: number,
    signal?: EndSignal,
  ): Promise<readonly number[]>;
  /**
   * For each text: undefined if it has at most `limit` tokens; otherwise consecutive pieces within the limit, either all of them or only
   * the first one.
   */
  cut(
    vocabulary: CountingName,
    texts: readonly string[],
    limit: number,
    pieces: "first" | "all",
    signal?: EndSignal,
  ): Promise<readonly (readonly Cut[] | undefined)[]>;
  /** All tokens of each text, including the model's own marks around it. */
  encode(
    vocabulary: CountingName,
    texts: readonly string[],
    signal?: EndSignal,
  ): Promise<readonly (readonly Token[])[]>;
  close(): void;
}

interface Waiting {
  readonly done: (done: Done) => void;
  readonly failed: (error: GatewayError) => void;
}

/**
 * In the executable a Worker's file is identified by the path under which the build listed it (.ci/build.ts), elsewhere by its URL.
 * `Bun.embeddedFiles` is empty outside an executable.
 */
const WORKER =
  Bun.embeddedFiles.length > 0 ? "./src/tokens/worker.ts" : new URL("./worker.ts", import.meta.url).href;

/** Runs the jobs. */
export interface Tokenizer {
  post(message: Job | Cancel): void;
  end(): void;
}

/** @param done called at each job's end @param broken called if the tokenizer itself fails; it does nothing after that */
export type OpenTokenizer = (done: (done: Done) => void, broken: (why: string) => void) => Tokenizer;

const inWorker: OpenTokenizer = (done, broken) => {
  const worker = new Worker(WORKER);
  worker.onmessage = ({ data }: MessageEvent<Done>) => done(data);
  worker.onerror = (event) => {
    event.preventDefault();
    worker.terminate();
    broken(event.message);
  };
  return { post: (message) => worker.postMessage(message), end: () => worker.terminate() };
};

type WithoutId<J> = J extends Job ? Omit<J, "id"> : never;

export function createTokens(open: OpenTokenizer = inWorker): Tokens {
  const waiting = new Map<number, Waiting>();
  let tokenizer: Tokenizer | undefined;
  let lastId = 0;

  function started(): Tokenizer {
    tokenizer ??= open(
      (done) => {
        waiting.get(done.id)?.done(done);
        waiting.delete(done.id);
      },
      (why) => {
        tokenizer = undefined;
        const error = new GatewayError("internal", "The tokenizer failed.", { cause: why });
        for (const { failed } of waiting.values()) failed(error);
        waiting.clear();
      },
    );
    return tokenizer;
  }

  function perform(job: WithoutId<Job>, signal: EndSignal | undefined): Promise<Done> {
    lastId += 1;
    const id = lastId;
    return new Promise((done, failed) => {
      if (signal?.aborted) return failed(signal.reason);
      const giveUp = () => {
        waiting.delete(id);
        tokenizer?.post({ id, kind: "cancel" });
        failed(signal?.reason);
      };
      const settled = () => signal?.removeEventListener("abort", giveUp);
      waiting.set(id, {
        done: (answer) => {
          settled();
          done(answer);
        },
        failed: (error) => {
          settled();
          failed(error);
        },
      });
      signal?.addEventListener("abort", giveUp);
      started().post({ ...job, id });
    });
  }

  const mixedUp = () => new GatewayError("internal", "The tokenizer answered another question.");

  return {
    async decode(vocabulary, ids, signal) {
      const done = await perform({ kind: "decode", vocabulary, ids }, signal);
      if (done.kind !== "decode") throw mixedUp();
      return done.texts.map((text, input) => {
        if (typeof text === "string") return text;
        const what =
          text.fault === "unknown id"
            ? `A token id is not in the vocabulary ${vocabulary}.`
            : "Its token ids begin or end inside a character, so they are not text. Send the text itself (in LangChain's OpenAIEmbeddings: check_embedding_ctx_length=False).";
        throw new GatewayError("invalid", what, { input });
      });
    },
    async mend(vocabulary, ids, signal) {
      const done = await perform({ kind: "mend", vocabulary, ids }, signal);
      if (done.kind !== "mend") throw mixedUp();
      return done.texts;
    },
    async count(vocabulary, texts, limit, signal) {
      const done = await perform({ kind: "count", vocabulary, texts, limit }, signal);
      if (done.kind !== "count") throw mixedUp();
      return done.counts;
    },
    async cut(vocabulary, texts, limit, pieces, signal) {
      const done = await perform({ kind: "cut", vocabulary, texts, limit, pieces }, signal);
      if (done.kind !== "cut") throw mixedUp();
      return done.cuts;
    },
    async encode(vocabulary, texts, signal) {
      const done = await perform({ kind: "encode", vocabulary, texts }, signal);
      if (done.kind !== "encode") throw mixedUp();
      return done.encoded;
    },
    close() {
      tokenizer?.end();
      tokenizer = undefined;
      const error = new GatewayError("unavailable", "The gateway is shutting down.");
      for (const { failed } of waiting.values()) failed(error);
      waiting.clear();
    },
  };
}
