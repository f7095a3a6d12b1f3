/**
 * The dashboard's script and stylesheet, bundled by Bun. Called as a macro, when the importing module is loaded, so that a clone
 * needs no build step and the executable contains the result. It starts a child process, because a bundler cannot wait for a bundler inside itself.
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
