/**
 * The routing file's `shared`: what several machines share on Valkey or Redis servers. Only data that may be lost is there; never money.
 * A new key is a line here with its description, and a member of `SharedConfig` (gateway-config.ts).
 */
import { type Static, Type } from "@sinclair/typebox";
import { closed } from "./schema-values";

const SERVER = "^(valkeys?|rediss?)://(?:[^@/?#]*@)?[^@/?#]+(?:/[0-9]*)?$";
const address = (description: string) =>
  Type.String({
    pattern: SERVER,
    description,
    expected:
      "an address such as valkey://HOST:6379, or valkeys://USER:PASSWORD@HOST:6379/0 with TLS (percent-encoded)",
  });

/** Used in keys on the server, where braces have a meaning. */
const NAME = "^[A-Za-z0-9_.-]{1,64}$";

export const SharedServers = Type.Object(
  {
    limits: Type.Optional(
      address(
        "Server that keeps rate limits, and which routes are resting after a 429, such as valkey://valkey:6379. Its maxmemory-policy should be noeviction. Left out: each machine keeps its own.",
      ),
    ),
    cache: Type.Optional(
      address(
        "Server that keeps cached vectors, such as valkey://:PASSWORD@cache:6379. Its maxmemory-policy should be allkeys-lru. Left out: each machine keeps its own.",
      ),
    ),
    name: Type.Optional(
      Type.String({
        pattern: NAME,
        default: "embedgate",
        description:
          "Prefix of the keys on the servers. Gateways with the same name share data; those with different names do not.",
      }),
    ),
    secret: Type.Optional(
      Type.String({
        minLength: 1,
        isSecret: true,
        description:
          "Secret with which cached vectors are signed, the same for all gateways with this name. Left out: the password in the server's address.",
      }),
    ),
    machines: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 10_000,
        default: 1,
        description:
          "Number of machines among which limits are divided until their server first answers. After that the machines are counted.",
      }),
    ),
  },
  { ...closed, description: "A server for each use; limits and cache may be on the same server." },
);

export const SharedSection = Type.Union(
  [
    address(
      "One server for rate limits and cached vectors: valkey://HOST:PORT; valkeys:// with TLS. redis:// and rediss:// are the same.",
    ),
    SharedServers,
  ],
  {
    description:
      "Data that several machines share through Valkey or Redis: rate limits, cached vectors, routes that are resting after a 429. If a server does not answer, each machine continues on its own.",
  },
);

export type SharedSection = Static<typeof SharedSection>;
