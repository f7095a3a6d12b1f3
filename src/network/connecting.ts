/**
 * Calls with a provider's own certificates and proxy (src/domain/connection-options.ts), and the error if TLS fails.
 * Bun's `fetch` supports both; a provider without such options is called as usual.
 */
import type { ConnectionOptions } from "../domain/connection-options";
import type { Outside } from "../domain/outside";

export function connecting(send: Outside["fetch"], options: ConnectionOptions | undefined): Outside["fetch"] {
  if (options === undefined) return send;
  const { ca, client, proxy } = options;
  const tls = { ...(ca === undefined ? {} : { ca }), ...client };
  const own = {
    ...(Object.keys(tls).length === 0 ? {} : { tls }),
    ...(proxy === undefined ? {} : { proxy }),
  };
  return (url, init) => send(url, { ...init, ...own });
}

/** OpenSSL's codes for an untrusted certificate (x509_vfy.h), and Node's own code for a wrong name. */
const UNTRUSTED: Readonly<Record<string, "unknown" | "expired" | "other name" | "other">> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: "unknown",
  SELF_SIGNED_CERT_IN_CHAIN: "unknown",
  UNABLE_TO_GET_ISSUER_CERT: "unknown",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "unknown",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "unknown",
  CERT_UNTRUSTED: "unknown",
  CERT_SIGNATURE_FAILURE: "unknown",
  CERT_HAS_EXPIRED: "expired",
  CERT_NOT_YET_VALID: "expired",
  ERR_TLS_CERT_ALTNAME_INVALID: "other name",
  HOSTNAME_MISMATCH: "other name",
  CERT_REVOKED: "other",
  CERT_REJECTED: "other",
  CERT_CHAIN_TOO_LONG: "other",
  INVALID_CA: "other",
  INVALID_PURPOSE: "other",
  PATH_LENGTH_EXCEEDED: "other",
};

/**
 * @param whose owner of the settings, as in "of the provider"
 * @returns undefined if the failure has another cause than the certificate
 */
export function untrusted(url: string, cause: unknown, whose: string): string | undefined {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const reason = UNTRUSTED[code];
  if (reason === undefined) return undefined;
  const { host, hostname } = new URL(url);
  const help = {
    unknown: `If you trust the authority that signed it, set 'ca' ${whose} to its certificate.`,
    expired: "It has expired or is not valid yet: renew it there, and check the clocks.",
    "other name": `It is for another name than ${hostname}: use a name that it is for.`,
    other: "Install another one on the server.",
  }[reason];
  return `Certificate not trusted: ${host} (${code}). ${help}`;
}

/** Bun's error code for a failed handshake. */
export const isFailedHandshake = (cause: unknown): boolean =>
  cause instanceof Error && "code" in cause && cause.code === "EPROTO";
