/**
 * Names of the gateway's keys on a shared server. All begin with the gateways' common name; the part in braces is the hash tag, by
 * which a cluster keeps together what one command needs together. Nothing that a caller wrote is in them, neither a workspace's name nor a text.
 * A key whose value means something else from a version on gets another word here.
 */

export interface Names {
  /** One that the link itself writes, to see whether it can. */
  readonly probe: string;
  /** Of a workspace's bucket. */
  bucket(what: string, workspace: string): string;
  /** Of the machines that are there, and of the routes that rest: asked for together. */
  readonly machines: string;
  readonly rests: string;
  /** Of a route, for `rests`. @param account all that decides whose limit it is: it holds secrets, and none is to be read out of this */
  route(account: string): string;
  /** Where a vector lies, and the mark of whoever fetches it: in one slot. @param key of src/cache/key.ts */
  vector(key: string): Place;
  /** A MAC of `bytes` under `name`: it cannot be made without the secret. */
  seal(name: string, bytes: Uint8Array): Uint8Array;
}

export interface Place {
  readonly value: string;
  readonly mark: string;
  /** Keys of one tag may be in one command. */
  readonly tag: string;
}

export const SEAL_BYTES = 16;

/**
 * @param name the gateways' common one
 * @param secret that all of them have: who can only read the server can neither guess texts from names nor make a vector that is believed
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
      // Without the secret, so that another password on some machines never makes two limits of one.
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
