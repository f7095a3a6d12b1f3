/**
 * The dashboard's script and stylesheet, bundled by Bun. It is called as a macro: where the module that imports it is read, so that a clone
 * needs no build step and the executable has the finished text inside. It starts a process, as a bundler cannot wait for another one in itself.
 */
import { join } from "node:path";

export interface Bundled {
  readonly script: string;
  readonly style: string;
}

export function bundled(): Bundled {
  return { script: one("page/main.tsx"), style: one("page/style.css") };
}

function one(file: string): string {
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
  return stdout.toString();
}
