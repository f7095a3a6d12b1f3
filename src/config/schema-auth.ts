/**
 * The routing file's schema: who may ask. What rests on two keys at once is in sections.ts.
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
    issuer: Type.Optional(Type.String({ minLength: 1, description: "The `iss` that a token must have." })),
    audience: Type.Optional(Type.String({ minLength: 1, description: "The `aud` that a token must have." })),
    workspace_claim: Type.Optional(
      Type.String({ minLength: 1, default: "workspace", description: "The claim that names the workspace." }),
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
    description: "Tokens (JWT) of your own issuer, accepted beside keys. Give jwks_url or public_key.",
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
    jwt: Type.Optional(JwtSection),
  },
  { ...closed, description: "Who may send requests." },
);

export type JwtSection = Static<typeof JwtSection>;
