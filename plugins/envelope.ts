/**
 * Reading a refusal in a vendor's own envelope. What an envelope holds, and what its words mean, is in each plugin.
 */
import type { Static, TSchema } from "@sinclair/typebox";
import type { Host, Posted } from "../src/plugin";

/** @returns undefined where it is in another, or is a page: then its status decides, and the start of the body is told */
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
