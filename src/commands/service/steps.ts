/**
 * What `install` and `uninstall` do, as a list of steps: printed by --dry-run, otherwise carried out one after another. The commands exist on
 * every Linux with systemd. A new step is a line of `stepsToInstall` and one of `stepsToUninstall`.
 */
import { chmodSync, copyFileSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { FIRST_ENVIRONMENT_FILE, FIRST_ROUTING_FILE, unitText } from "./files";
import {
  CONFIGURATION_FOLDER,
  ENVIRONMENT_FILE,
  OWN_EXECUTABLE,
  OWN_UNIT,
  ROUTING_FILE,
  SERVICE,
  SERVICE_USER,
  STATE_FOLDER,
} from "./places";

export type Step =
  | { readonly kind: "command"; readonly words: readonly string[]; readonly otherwise?: readonly string[] }
  | { readonly kind: "write"; readonly path: string; readonly mode: number; readonly text: string }
  | { readonly kind: "copy"; readonly from: string; readonly path: string; readonly mode: number }
  | { readonly kind: "remove"; readonly path: string };

/** What was found on the machine. */
export interface Found {
  readonly hasUser: boolean;
  readonly hasRoutingFile: boolean;
  readonly hasEnvironmentFile: boolean;
  /** If not, units are written and nothing is started. */
  readonly isSystemdRunning: boolean;
  readonly isServiceActive: boolean;
}

const command = (...words: string[]): Step => ({ kind: "command", words });
const folder = (path: string, user: string, mode: string) =>
  command("install", "-d", "-o", user, "-g", user, "-m", mode, path);

/** @param executable the running file: it is copied, so that it may be deleted afterwards */
export function stepsToInstall(found: Found, executable: string): readonly Step[] {
  const steps: Step[] = [];
  if (!found.hasUser)
    steps.push(
      command(
        ...["useradd", "--system", "--user-group", "--no-create-home"],
        ...["--home-dir", STATE_FOLDER, "--shell", "/usr/sbin/nologin", SERVICE_USER],
      ),
    );
  steps.push(folder(CONFIGURATION_FOLDER, "root", "0755"), folder(STATE_FOLDER, SERVICE_USER, "0700"));
  if (!found.hasRoutingFile)
    steps.push(
      { kind: "write", path: ROUTING_FILE, mode: 0o640, text: FIRST_ROUTING_FILE },
      command("chown", `root:${SERVICE_USER}`, ROUTING_FILE),
    );
  if (!found.hasEnvironmentFile)
    steps.push({ kind: "write", path: ENVIRONMENT_FILE, mode: 0o600, text: FIRST_ENVIRONMENT_FILE });
  if (executable !== OWN_EXECUTABLE)
    steps.push({ kind: "copy", from: executable, path: OWN_EXECUTABLE, mode: 0o755 });
  steps.push({ kind: "write", path: OWN_UNIT, mode: 0o644, text: unitText(OWN_EXECUTABLE) });
  if (found.isSystemdRunning) {
    steps.push(command("systemctl", "daemon-reload"), command("systemctl", "enable", SERVICE));
    steps.push(
      found.isServiceActive
        ? {
            kind: "command",
            words: [OWN_EXECUTABLE, "reload", "--upgrade", "--config", ROUTING_FILE],
            otherwise: ["systemctl", "restart", SERVICE],
          }
        : command("systemctl", "start", SERVICE),
    );
  }
  return steps;
}

/** @param purge remove configuration, database and user too */
export function stepsToUninstall(found: Found, purge: boolean): readonly Step[] {
  const steps: Step[] = [];
  if (found.isSystemdRunning) steps.push(command("systemctl", "disable", "--now", SERVICE));
  steps.push({ kind: "remove", path: OWN_UNIT }, { kind: "remove", path: OWN_EXECUTABLE });
  if (found.isSystemdRunning) steps.push(command("systemctl", "daemon-reload"));
  if (!purge) return steps;
  steps.push({ kind: "remove", path: CONFIGURATION_FOLDER }, { kind: "remove", path: STATE_FOLDER });
  if (found.hasUser) steps.push(command("userdel", SERVICE_USER));
  return steps;
}

/** As a command line, or a description of it. */
export function wordsOf(step: Step): string {
  const mode = (bits: number) => bits.toString(8).padStart(4, "0");
  switch (step.kind) {
    case "command":
      return [step.words, step.otherwise].flatMap((words) => (words ? [words.join(" ")] : [])).join(" || ");
    case "copy":
      return `install -m ${mode(step.mode)} ${step.from} ${step.path}`;
    case "remove":
      return `rm -rf ${step.path}`;
    case "write":
      return `write ${step.path} (mode ${mode(step.mode)}):\n${step.text.replace(/^(?=.)/gm, "    ")}`;
  }
}

/**
 * @param root prefix of all paths
 * @param run runs a command and returns its exit code
 * @returns a message about the first step that failed
 */
export async function carryOut(
  steps: readonly Step[],
  root: string,
  run: (words: readonly string[]) => Promise<number>,
): Promise<string | undefined> {
  for (const step of steps) {
    try {
      if (step.kind !== "command") change(step, root);
      else if ((await run(step.words)) !== 0 && (!step.otherwise || (await run(step.otherwise)) !== 0))
        return `This command failed: ${wordsOf(step)}`;
    } catch (cause) {
      return `${wordsOf(step).split("\n")[0]}: ${cause instanceof Error ? cause.message : cause}`;
    }
  }
  return undefined;
}

function change(step: Exclude<Step, { kind: "command" }>, root: string): void {
  const path = join(root, step.path);
  if (step.kind === "remove") {
    rmSync(path, { recursive: true, force: true });
    return;
  }
  // Written beside it first: a running executable cannot be overwritten, and a half-written file must never be visible.
  const next = `${path}.new`;
  mkdirSync(dirname(path), { recursive: true });
  rmSync(next, { force: true });
  if (step.kind === "copy") copyFileSync(step.from, next);
  else writeFileSync(next, step.text, { mode: step.mode });
  chmodSync(next, step.mode);
  renameSync(next, path);
}
