/**
 * The benchmark's own certificate authority, for the rows over https, and a certificate for this machine, in files for the measured processes.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeAuthority } from "../test/certificates";

export interface BenchTls extends Disposable {
  /** The path of the authority's certificate. */
  readonly ca: string;
  /** The paths of the provider's certificate and its key. */
  readonly cert: string;
  readonly key: string;
}

export function makeTls(): BenchTls {
  using authority = makeAuthority();
  const folder = mkdtempSync(join(tmpdir(), "embedgate-bench-tls-"));
  const { cert, key } = authority.sign("bench");
  const written = (name: string, pem: string) => {
    const path = join(folder, name);
    writeFileSync(path, pem);
    return path;
  };
  return {
    ca: written("ca.pem", authority.ca),
    cert: written("cert.pem", cert),
    key: written("key.pem", key),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}
