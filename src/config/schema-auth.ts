/**
 * The routing file's `auth`. sections.ts has rules about two keys.
 */
import { type Static, Type } from "@sinclair/typebox";
import { CONNECTION_KEYS } from "./schema-connection";
import { closed } from "./schema-values";

export const JwtSection = Type.Object(
  {
    jwks_url: Type.Optional(
      Type.String({ minLength: 1, description: "URL where the issuer publishes its keys (JWKS)." }),
    ),
    ...CONNECTION_KEYS,
    public_key: Type.Optional(Type.String({ minLength: 1, description: "The issuer's public key, in PEM." })),
    public_key_file: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          "Path of a PEM file with the issuer's public key, relative to this file's folder; read again when it changes.",
      }),
    ),
    issuer: Type.Optional(Type.String({ minLength: 1, description: "The `iss` that a token must have." })),
    audience: Type.Optional(Type.String({ minLength: 1, description: "The `aud` that a token must have." })),
    workspace_claim: Type.Optional(
      Type.Union(
        [
          Type.String({ minLength: 1 }),
          Type.Array(Type.String({ minLength: 1 }), { minItems: 1, maxItems: 16 }),
        ],
        {
          default: "workspace",
          description:
            "The claim with the workspace's name: the claim's name, or the path to it (org.workspace, or the list [org, workspace]). Its value is a string, or a list of one string.",
        },
      ),
    ),
    create_workspaces: Type.Optional(
      Type.Boolean({
        default: false,
        description:
          "true: a workspace that a token names is created on its first request, with workspace_defaults. false: such a token is refused with 403.",
      }),
    ),
  },
  {
    ...closed,
    description:
      "JWTs of your own issuer, accepted in addition to API keys. Give jwks_url, public_key or public_key_file.",
  },
);

export const AuthSection = Type.Object(
  {
    mode: Type.Optional(
      Type.Union([Type.Literal("auto"), Type.Literal("keys"), Type.Literal("open")], {
        default: "auto",
        description:
          "auto: open on a loopback address while no key exists, else keys. keys: always a key. open: never a key.",
      }),
    ),
    bootstrap_key_sha256: Type.Optional(
      Type.String({
        pattern: "^[0-9a-fA-F]{64}$",
        // If the key itself is given, it must not get into the log.
        isSecret: true,
        expected: "64 hexadecimal digits, as sha256sum prints them",
        description:
          "SHA-256 of a first API key, for containers: printf %s KEY | sha256sum. It is an admin key in the workspace default. Another value replaces it; to end it, revoke it. Default: EMBEDGATE_BOOTSTRAP_KEY_SHA256.",
      }),
    ),
    jwt: Type.Optional(JwtSection),
  },
  { ...closed, description: "Who may send requests." },
);

export type JwtSection = Static<typeof JwtSection>;
