/**
 * Runs `embedgate` as a user types it, from source: a separate process that runs to its end. serving.ts starts one that serves.
 */
import { join } from "node:path";

export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly errors: string;
}

/** @param environment the whole environment of the process; left out: empty */
export async function runCommand(
  args: readonly string[],
  {
    folder,
    environment = {},
  }: { readonly folder?: string; readonly environment?: Record<string, string> } = {},
): Promise<Ended> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "../src/main.ts"), ...args], {
    ...(folder !== undefined && { cwd: folder }),
    env: environment,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [code, out, errors] = await Promise.all([
    child.exited,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { code, out, errors };
}
