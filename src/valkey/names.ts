/**
 * Names of the gateway's keys on a shared server. All start with the gateways' common name; the part in braces is the hash tag, by
 * which a cluster keeps the keys of one command together. They contain nothing that a caller wrote, neither a workspace's name nor a text.
 * A key whose value changes its meaning in a version gets another word here.
 */

export interface Names {
  /** A key that the link itself writes, to check that it can. */
  readonly probe: string;
  /** The bucket of a workspace. */
  bucket(what: string, workspace: string): string;
  /** The list of machines and of routes with a pause: read together. */
  readonly machines: string;
  readonly rests: string;
  /** A route's key in `rests`. @param account everything that identifies the limit's owner: it contains secrets, which must not be readable from the key */
  route(account: string): string;
  /** A vector's key, and the key of the mark while it is fetched: in one slot. @param key of src/cache/key.ts */
  vector(key: string): Place;
  /** A MAC of `bytes` under `name`: it cannot be made without the secret. */
  seal(name: string, bytes: Uint8Array): Uint8Array;
}

export interface Place {
  readonly value: string;
  readonly mark: string;
  /** Keys with one hash tag may be in one command. */
  readonly tag: string;
}

export const SEAL_BYTES = 16;

/**
 * @param name the gateways' common name
 * @param secret shared by all of them: someone who can only read the server can neither guess texts from names nor forge a valid vector
 */
export function namesOf(name: string, secret: string): Names {
  const prefix = `embedgate:{${name}`;
  const key = new Bun.CryptoHasher("sha256").update(`embedgate shared\0${name}\0${secret}`).digest();
  const hidden = (text: string) => keyed(key).update(text).digest("hex").slice(0, 40);
  return {
    probe: `${prefix}}:probe`,
    machines: `${prefix}}:machines`,
    rests: `${prefix}}:rests`,
    route: hidden,
    bucket(what, workspace) {
      // Without the secret, so that a different password on some machines never splits one limit into two.
      const hash = new Bun.CryptoHasher("sha256").update(workspace).digest("hex").slice(0, 40);
      return `${prefix}:${hash}}:${what}`;
    },
    vector(cacheKey) {
      const hash = hidden(cacheKey);
      const tag = hash.slice(0, 1);
      return { value: `${prefix}:${tag}}:vector1:${hash}`, mark: `${prefix}:${tag}}:mark1:${hash}`, tag };
    },
    seal: (at, bytes) => keyed(key).update(at).update("\0").update(bytes).digest().subarray(0, SEAL_BYTES),
  };
}

const keyed = (key: Uint8Array) => new Bun.CryptoHasher("sha256", key);
