/**
 * The vocabulary of faults, and the functions that make one: what a server was about to send, and how it is spoiled.
 * A new kind of spoiling is a function here; the faults themselves are rows of faults.ts.
 */
import type { Random } from "./random";

/** What a server is about to send. */
export interface Draft {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array<ArrayBuffer>;
  readonly delayMs: number;
  /** drip: in small pieces over `dripMs`. reset: the connection breaks, before or within the body. never: no answer at all. */
  readonly delivery: "whole" | "drip" | "reset before" | "reset within" | "undecodable" | "never";
  readonly dripMs: number;
}

export interface Entry {
  readonly object: "embedding";
  readonly index?: unknown;
  readonly embedding: unknown;
}

/** What a fault may know about the call that it spoils. */
export interface Scene {
  readonly right: Draft;
  readonly entries: readonly Entry[];
  readonly vectors: readonly Float32Array[];
  /** A larger model's result for the same inputs: of the right dimensions, and in another space. */
  readonly foreignEntries: readonly Entry[];
  /** The gateway can know the model by name, and another's too. */
  readonly isKnownModel: boolean;
  readonly encoding: "float" | "base64";
  /** The reply's body with other entries, or other members. */
  readonly bodyOf: (entries: readonly Entry[], members?: Readonly<Record<string, unknown>>) => string;
  readonly random: Random;
  readonly timeoutMs: number;
  readonly deadlineMs: number;
  readonly elapsedMs: number;
  /** The provider's key, as sent with the call. */
  readonly key: string;
}

/**
 * What the ledger must say about a spoiled call's tokens. exact: as the reply says. guess: the reply has no count. maybe: the reply cannot
 * be read, so its count may be lost too.
 */
export type Counts = "exact" | "guess" | "maybe";

export interface Fault {
  /** Status codes of the gateway; none: the request must succeed anyway. */
  readonly excuses: readonly number[];
  /** Number in the list of pains, or "seen" for what was seen at other gateways. */
  readonly pain: string;
  readonly counts: Counts;
  /** An immediate retry does not help: the first refusal may be returned to the caller. */
  readonly isLasting?: boolean;
  readonly spoil: (scene: Scene) => Partial<Draft> & { readonly waitMs?: number };
}

/** A fault whose reply is correct except for its entries. */
export const data = (
  pain: string,
  excuses: readonly number[],
  change: (entries: Entry[], scene: Scene) => readonly Entry[],
  counts: Counts = "exact",
): Fault => ({
  pain,
  excuses,
  counts,
  spoil: (scene) => ({ body: scene.bodyOf(change([...scene.entries], scene)) }),
});

/** Changes the vector of one entry. */
export const oneVector = (
  pain: string,
  change: (values: number[], scene: Scene) => unknown,
  counts: Counts = "exact",
): Fault =>
  data(
    pain,
    [502],
    (entries, scene) => {
      const place = scene.random.integer(0, entries.length - 1);
      return entries.map((entry, i) => {
        const embedding = change([...(scene.vectors[i] ?? [])], scene);
        return i === place ? { ...entry, embedding } : entry;
      });
    },
    counts,
  );

/** Other members beside the entries, which stay right. */
export const members = (pain: string, counts: Counts, change: Readonly<Record<string, unknown>>): Fault => ({
  pain,
  excuses: [],
  counts,
  spoil: ({ entries, bodyOf }) => ({ body: bodyOf(entries, change) }),
});

/** A status other than 200, in OpenAI's envelope. */
export const refusal = (
  pain: string,
  status: number,
  excuses: readonly number[],
  more: {
    readonly code?: string;
    readonly isLasting?: boolean;
    readonly headers?: Record<string, string>;
  } = {},
): Fault => ({
  pain,
  excuses,
  counts: "maybe",
  isLasting: more.isLasting ?? false,
  spoil: () => ({ status, headers: more.headers ?? {}, body: envelope(`status ${status} it is`, more.code) }),
});

/** A refusal with Retry-After. */
export const comeBack = (
  status: number,
  when: (scene: Scene) => { readonly headers: Record<string, string>; readonly waitMs: number },
): Fault => ({
  pain: "seen",
  excuses: [503, 504],
  counts: "maybe",
  spoil: (scene) => ({ status, body: envelope("slow down"), ...when(scene) }),
});

/** A body that is not a reply, with 200. */
export const noReply = (pain: string, body: (scene: Scene) => string | Uint8Array<ArrayBuffer>): Fault => ({
  pain,
  excuses: [502],
  counts: "maybe",
  spoil: (scene) => ({ body: body(scene) }),
});

/** An answer that arrives unusually: late, in pieces, never. */
export const delivered = (
  pain: string,
  excuses: readonly number[],
  change: (scene: Scene) => Partial<Draft>,
): Fault => ({ pain, excuses, counts: excuses.length === 0 ? "exact" : "maybe", spoil: change });

export function envelope(message: string, code: string | null = null): string {
  return JSON.stringify({ error: { message, type: "error", param: null, code } });
}
