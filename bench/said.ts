/**
 * Prints lines and keeps them, so that a full run can be written to bench/RESULTS.md with its date and machine.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { arch, cpus, release, totalmem } from "node:os";
import { join } from "node:path";

const lines: string[] = [];

export function say(line: string): void {
  console.log(line);
  lines.push(line);
}

/** @param command the command line of the run @returns the path of the file */
export function writeResults(command: string): string {
  const path = join(import.meta.dir, "RESULTS.md");
  const [core] = cpus();
  const revision = Bun.spawnSync(["git", "rev-parse", "--short", "HEAD"], { cwd: import.meta.dir });
  const load = readFileSync("/proc/loadavg", "utf8").split(" ").slice(0, 3).join(", ");
  const about: readonly (readonly [string, string])[] = [
    ["date", new Date().toISOString().slice(0, 16).replace("T", " ").concat(" UTC")],
    ["revision", revision.stdout.toString().trim()],
    ["command", `\`${command}\``],
    ["processor", `${core?.model ?? "unknown"}, ${navigator.hardwareConcurrency} cores, ${arch()}`],
    ["memory", `${Math.round(totalmem() / 2 ** 30)} GB`],
    ["system", `Linux ${release()}, Bun ${Bun.version}`],
    ["load average at the end", load],
  ];
  writeFileSync(
    path,
    `# Results

Written by \`bun run bench --write\`: one run, as it was printed. What the rows and figures are is in [README.md](README.md).

| | |
|---|---|
${about.map(([name, value]) => `| ${name} | ${value} |`).join("\n")}

\`\`\`text
${lines.join("\n")}
\`\`\`
`,
  );
  return path;
}
