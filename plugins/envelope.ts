/**
 * Reads a refusal in a vendor's own envelope. The fields of an envelope, and what its messages mean, are in each plugin.
 */
import type { Static, TSchema } from "@sinclair/typebox";
import type { Host, Posted } from "../src/plugin";

/** @returns undefined for another envelope or an HTML page: then the status decides, and the start of the body is quoted */
export function readEnvelope<Envelope extends TSchema>(
  host: Pick<Host, "read">,
  envelope: Envelope,
  { bytes }: Pick<Posted, "bytes">,
): Static<Envelope> | undefined {
  try {
    return host.read(envelope, bytes);
  } catch {
    return undefined;
  }
}
