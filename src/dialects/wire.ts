/**
 * What the door and the spine need of a wire, whichever shape its bodies have: OpenAI's, or a vendor's own beside it. Types only.
 * A new wire is a file that answers `Wire` and a line of wires.ts.
 */
import type { TSchema } from "@sinclair/typebox";
import type { GatewayError } from "../domain/errors";
import type { Policies } from "../domain/policies";
import type { EmbedRequest, Result } from "../domain/request";
import type { Script } from "../printing/script";

export interface Wire {
  readonly path: string;
  /** Patterns of the paths that a vendor's SDK makes of a base URL here, beside `path`: they stand in no document. */
  readonly aliases?: readonly string[];
  /**
   * A parsed JSON body as a request.
   * @param path what was asked for: a vendor's own may name the model
   * @throws GatewayError invalid, naming the field; unknown_path where an alias's pattern took what is none
   */
  decode(body: unknown, policies: Policies, path: string): Decoded;
  /** The body of any error, also of one that came before the body was read. */
  encodeError(error: GatewayError, policies: Policies): string;
  readonly words: WireWords;
}

export interface Decoded {
  readonly request: EmbedRequest;
  /** Names of fields that the wire leaves without effect. */
  readonly ignored: readonly string[];
  /** Names of all fields, in the body's order. */
  readonly written?: readonly string[];
  /** What the answer's body says, in the shape that this request asks for. */
  readonly encode: (result: Result, requestId: string) => Script;
  /** What the caller calls an input, in errors about it. Left out: `input`, or `input[17]` where there are several. */
  readonly inputName?: (place: number) => string;
  /** The caller's names of what a request's fields are called otherwise: `dimensions` → `output_dimensionality`. */
  readonly fieldNames?: Readonly<Record<string, string>>;
}

/** What the published document says of it. */
export interface WireWords {
  readonly operationId: string;
  readonly summary: string;
  readonly description: string;
  /** Names in `schemas`. */
  readonly request: string;
  readonly response: string;
  /** By the names that the document knows them under; none that another wire has. */
  readonly schemas: (policies: Policies) => Readonly<Record<string, TSchema>>;
}
