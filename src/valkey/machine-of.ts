/** A machine's name among those that share a server. */

/** The same for all processes of this machine, which have the seed in common, and told to others without telling the seed. */
export const machineOf = (seed: Uint8Array) =>
  new Bun.CryptoHasher("sha256").update(seed).digest("hex").slice(0, 16);
