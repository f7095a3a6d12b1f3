/**
 * How the gateway connects to one server, beside its address: which certificates it trusts, which one it shows, and by which proxy.
 * A new option is a member here, a key in src/config/schema-connection.ts, and what src/network/connecting.ts makes of it.
 */
export interface ConnectionOptions {
  /** Certificates in PEM, trusted instead of the usual authorities'. */
  readonly ca: string | undefined;
  /** Of the gateway itself, in PEM, with its private key. */
  readonly client: CertificateAndKey | undefined;
  /** http:// or https://, perhaps with a name and a password. */
  readonly proxy: string | undefined;
}

/** Both in PEM; the certificate may be followed by those of its authorities. */
export interface CertificateAndKey {
  readonly cert: string;
  readonly key: string;
}
