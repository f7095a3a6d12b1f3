/**
 * The routing file's keys for TLS and proxies. connections.ts reads and checks the files that they name.
 */
import { Type } from "@sinclair/typebox";
import { closed } from "./schema-values";

const pem = (description: string) =>
  Type.String({
    minLength: 1,
    description: `${description}: a PEM file, relative to this file's folder, or the PEM text itself.`,
  });

/** For every connection that the gateway itself makes. */
export const CONNECTION_KEYS = {
  ca: Type.Optional(pem("CA certificates to trust instead of the public ones")),
  client_cert: Type.Optional(pem("The gateway's own certificate, for mutual TLS")),
  client_key: Type.Optional(pem("The private key of client_cert")),
  proxy: Type.Optional(
    Type.String({
      minLength: 1,
      description:
        "http://[USER:PASSWORD@]HOST:PORT of a proxy, instead of HTTP_PROXY or HTTPS_PROXY; hosts in NO_PROXY are connected to directly.",
    }),
  ),
};

export const TlsSection = Type.Object(
  {
    cert: pem("The server's certificate, followed by its intermediate certificates"),
    key: pem("The private key of cert"),
  },
  { ...closed, description: "Serve https instead of http; reloaded when the files change." },
);
