/**
 * `embedgate` as a user types it, from source: a process of its own, run to its end. One that serves is started by serving.ts.
 */
import { join } from "node:path";

export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly errors: string;
}

/** @param environment all that the process has of one; none where it is left out */
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
