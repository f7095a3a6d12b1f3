/**
 * The dashboard's script and stylesheet, bundled by Bun and compressed. Called as a macro, when the importing module is loaded, so that a clone
 * needs no build step and the executable contains the result. It starts a child process, because a bundler cannot wait for a bundler inside itself.
 */
import { join } from "node:path";

export interface Bundled {
  readonly script: Packed;
  readonly style: Packed;
}

export interface Packed {
  /** Gzip, in base64: a macro can return only JSON. */
  readonly compressed: string;
  /** Of the uncompressed bytes. */
  readonly hash: string;
}

export function bundled(): Bundled {
  return { script: packed("page/main.tsx"), style: packed("page/style.css") };
}

function packed(file: string): Packed {
  const { exitCode, stdout, stderr } = Bun.spawnSync(
    [
      process.execPath,
      "build",
      "--minify",
      "--target=browser",
      "--define",
      'process.env.NODE_ENV="production"',
      file,
    ],
    { cwd: import.meta.dir, env: { NODE_ENV: "production", PATH: process.env.PATH }, stdin: "ignore" },
  );
  if (exitCode !== 0) throw new Error(`${join("src/dashboard", file)} cannot be bundled: ${stderr}`);
  const plain = new Uint8Array(stdout);
  // Its highest level is 3 % smaller than zlib's and takes 50 ms, which is why it is not done while serving.
  const compressed = Bun.gzipSync(plain, { library: "libdeflate", level: 12 });
  return { compressed: compressed.toBase64(), hash: Bun.hash(plain).toString(36) };
}
