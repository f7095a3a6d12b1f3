/**
 * What a job needs to embed: a gateway in this process (inside.ts), or one that is called over HTTP (through.ts). Types only.
 */

/** What a job plans with, as far as it is known. */
export interface ModelFacts {
  /** USD per million tokens. */
  readonly price: number | undefined;
  readonly dimensions: number | undefined;
  readonly max_inputs: number | undefined;
  readonly max_call_tokens: number | undefined;
  readonly max_call_bytes: number | undefined;
  /** The most bytes that a prompt may add to a text. */
  readonly prompt_bytes: number;
}

export interface Sent {
  /** One per text, in order: its vector, or the reason why there is none although others were embedded. */
  readonly vectors: readonly (Float32Array | string)[];
  readonly tokens: number;
  /** Tokens that are charged for. */
  readonly tokensBilled: number;
  /** Texts that were cut to the model's limit. */
  readonly truncated: number;
  /** As in the header x-embedding-space, without the dimensions; "" if unknown. */
  readonly space: string;
  /** Names of the fields that the provider ignores. */
  readonly ignored: string | undefined;
}

export interface Sender {
  /** Where the requests go; a later run must have the same value. */
  readonly through: string;
  readonly facts: ModelFacts;
  /** How the routing file changes a text before it is sent, as far as it is known: a later run must do the same. */
  readonly treatment: string;
  /**
   * The tokens of some texts by the model's own vocabulary; an estimate if that is not known.
   * @returns exact only if every text was counted
   */
  count(texts: readonly string[]): Promise<{ readonly tokens: number; readonly isExact: boolean }>;
  /**
   * @param space the embedding space of the job's other vectors: vectors of another space are refused
   * @throws GatewayError; its `input` is the index of the text at fault, if there is one
   */
  embed(texts: readonly string[], space: string | undefined): Promise<Sent>;
  close(): Promise<void>;
}

/** What the job requests of the model besides the texts. */
export interface Asked {
  readonly model: string;
  readonly dimensions: number | undefined;
  /** As on the wire: `input_type`, `prompt_name`. */
  readonly fields: Readonly<Record<string, string>>;
}
