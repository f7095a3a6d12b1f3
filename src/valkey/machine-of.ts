/** A machine's name among those that share a server. */

/** The same for all processes of this machine, which share the seed, without revealing the seed to others. */
export const machineOf = (seed: Uint8Array) =>
  new Bun.CryptoHasher("sha256").update(seed).digest("hex").slice(0, 16);
