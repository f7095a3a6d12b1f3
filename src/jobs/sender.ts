/**
 * What a job needs to embed: the gateway in this process (inside.ts) or one that is asked over HTTP (through.ts). Types only.
 */

/** What a job plans by, as far as it is known. */
export interface ModelFacts {
  /** USD per million tokens. */
  readonly price: number | undefined;
  readonly dimensions: number | undefined;
  readonly max_inputs: number | undefined;
  readonly max_call_tokens: number | undefined;
  readonly max_call_bytes: number | undefined;
  /** What a prompt may add to a text, in bytes. */
  readonly prompt_bytes: number;
}

export interface Sent {
  /** One for each text, in order; in its place, why there is none, where others were embedded all the same. */
  readonly vectors: readonly (Float32Array | string)[];
  readonly tokens: number;
  /** Those that cost something. */
  readonly tokensBilled: number;
  /** Texts that were cut to the model's limit. */
  readonly truncated: number;
  /** As the header x-embedding-space has it, without the size; "" where nobody tells. */
  readonly space: string;
  /** Names of what the provider has no use for. */
  readonly ignored: string | undefined;
}

export interface Sender {
  /** Where the requests go, in a word that a later run must agree with. */
  readonly through: string;
  readonly facts: ModelFacts;
  /** What the routing file makes of a text before it is sent, as far as it is known: a later run must make the same of it. */
  readonly treatment: string;
  /**
   * Tokens of some texts by the model's own vocabulary; estimated where that is not known.
   * @returns exact only where each text was counted
   */
  count(texts: readonly string[]): Promise<{ readonly tokens: number; readonly isExact: boolean }>;
  /**
   * @param space where the job's other vectors lie: vectors of another are refused
   * @throws GatewayError, its `input` the place of the text at fault where one is
   */
  embed(texts: readonly string[], space: string | undefined): Promise<Sent>;
  close(): Promise<void>;
}

/** What is asked of the model beside the texts. */
export interface Asked {
  readonly model: string;
  readonly dimensions: number | undefined;
  /** As on the wire: `input_type`, `prompt_name`. */
  readonly fields: Readonly<Record<string, string>>;
}
