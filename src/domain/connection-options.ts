/**
 * How the gateway connects to a server, apart from its URL: trusted certificates, a client certificate, and a proxy.
 * A new option is a member here, a key in src/config/schema-connection.ts, and its use in src/network/connecting.ts.
 */
export interface ConnectionOptions {
  /** Certificates in PEM, trusted instead of the usual authorities'. */
  readonly ca: string | undefined;
  /** The gateway's own certificate, in PEM, with its private key. */
  readonly client: CertificateAndKey | undefined;
  /** http:// or https://, possibly with a user name and password. */
  readonly proxy: string | undefined;
}

/** Both in PEM; the certificate may be followed by those of its authorities. */
export interface CertificateAndKey {
  readonly cert: string;
  readonly key: string;
}
