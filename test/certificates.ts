/**
 * Certificates for tests, made by `openssl`: an authority, and what it signs for names of this machine.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Signed {
  readonly cert: string;
  readonly key: string;
}

export interface Authority extends Disposable {
  /** Its own certificate, in PEM. */
  readonly ca: string;
  /** @param names as the certificate has them: `DNS:localhost` */
  sign(subject: string, how?: { readonly names?: string; readonly days?: number }): Signed;
}

export function makeAuthority(): Authority {
  const folder = mkdtempSync(join(tmpdir(), "embedgate-authority-"));
  const openssl = (...words: readonly string[]) => {
    const { exitCode, stderr } = Bun.spawnSync(["openssl", ...words], { cwd: folder, stderr: "pipe" });
    if (exitCode !== 0) throw new Error(`openssl ${words[0]}: ${stderr}`);
  };
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  openssl(
    "req",
    "-x509",
    ...key,
    "-keyout",
    "ca.key",
    "-out",
    "ca.pem",
    "-days",
    "30",
    "-subj",
    "/CN=Authority",
  );
  const read = (name: string) => readFileSync(join(folder, name), "utf8");
  return {
    ca: read("ca.pem"),
    sign(subject, { names = "DNS:localhost,IP:127.0.0.1", days = 30 } = {}) {
      writeFileSync(join(folder, "names"), `subjectAltName=${names}`);
      openssl("req", ...key, "-keyout", "one.key", "-out", "one.csr", "-subj", `/CN=${subject}`);
      const by = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names"];
      openssl("x509", "-req", "-in", "one.csr", ...by, "-days", String(days), "-out", "one.pem");
      return { cert: read("one.pem"), key: read("one.key") };
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}
