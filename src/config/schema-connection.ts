/**
 * The routing file's keys for TLS and proxies. What is read from the files they name, and checked, is in connections.ts.
 */
import { Type } from "@sinclair/typebox";
import { closed } from "./schema-values";

const pem = (description: string) =>
  Type.String({
    minLength: 1,
    description: `${description}: a file in PEM, from this file's folder, or the PEM itself.`,
  });

/** Of whatever the gateway itself connects to. */
export const CONNECTION_KEYS = {
  ca: Type.Optional(pem("Certificates to trust instead of the public authorities'")),
  client_cert: Type.Optional(pem("The gateway's own certificate, for mutual TLS")),
  client_key: Type.Optional(pem("The private key of client_cert")),
  proxy: Type.Optional(
    Type.String({
      minLength: 1,
      description:
        "http://[USER:PASSWORD@]HOST:PORT of a proxy, instead of HTTP_PROXY or HTTPS_PROXY; hosts in NO_PROXY are still connected to directly.",
    }),
  ),
};

export const TlsSection = Type.Object(
  {
    cert: pem("The server's certificate, followed by those of its authorities"),
    key: pem("The private key of cert"),
  },
  { ...closed, description: "Serve https instead of http; reloaded when the files change." },
);
