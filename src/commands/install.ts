/**
 * `embedgate install` and `uninstall`: runs the gateway as a systemd service with its own user. The work is a list of steps
 * (service/steps.ts); this file inspects the machine, refuses what is impossible, and runs the list.
 */
import { existsSync, readFileSync } from "node:fs";
import { isExecutable } from "../serving/fetch-limit";
import {
  ENVIRONMENT_FILE,
  OWN_EXECUTABLE,
  PACKAGE_UNIT,
  ROUTING_FILE,
  SERVICE,
  SERVICE_USER,
  STATE_FOLDER,
} from "./service/places";
import { carryOut, type Found, type Step, stepsToInstall, stepsToUninstall, wordsOf } from "./service/steps";

interface InstallOptions {
  readonly dryRun?: boolean;
}

interface UninstallOptions extends InstallOptions {
  readonly purge?: boolean;
}

export async function install(options: InstallOptions): Promise<number> {
  // Run from source, there is no single file to copy.
  const executable = isExecutable() ? process.execPath : undefined;
  if (!options.dryRun && executable === undefined)
    return refuse(
      "Only the executable can be installed: run 'bun run build', then 'sudo dist/embedgate install'.",
    );
  const found = findings();
  const code = await doAll(stepsToInstall(found, executable ?? "dist/embedgate"), options);
  if (code === 0 && !options.dryRun) console.log(installed(found));
  return code;
}

export async function uninstall({ purge = false, ...options }: UninstallOptions): Promise<number> {
  const code = await doAll(stepsToUninstall(findings(), purge), options);
  if (code === 0 && !options.dryRun && !purge)
    console.log(
      `Kept: /etc/embedgate, ${STATE_FOLDER} with the database, and the user ${SERVICE_USER} ('embedgate uninstall --purge' deletes them).`,
    );
  return code;
}

async function doAll(steps: readonly Step[], { dryRun }: InstallOptions): Promise<number> {
  if (dryRun) {
    for (const step of steps) console.log(wordsOf(step));
    return 0;
  }
  if (process.platform !== "linux") return refuse("This needs Linux with systemd.");
  if (process.getuid?.() !== 0)
    return refuse("This needs root: run it with sudo. --dry-run shows what it does.");
  if (existsSync(PACKAGE_UNIT))
    return refuse(
      "embedgate is installed as a package: use 'apt install ./FILE.deb' or 'apt remove embedgate'.",
    );
  const wrong = await carryOut(steps, "/", async (words) => {
    console.log(words.join(" "));
    return Bun.spawn([...words], { stdio: ["ignore", "inherit", "inherit"] }).exited;
  });
  return wrong === undefined ? 0 : refuse(wrong);
}

function refuse(words: string): number {
  console.error(words);
  return 1;
}

function findings(): Found {
  const isSystemdRunning = existsSync("/run/systemd/system");
  return {
    hasUser: hasUser(),
    hasRoutingFile: existsSync(ROUTING_FILE),
    hasEnvironmentFile: existsSync(ENVIRONMENT_FILE),
    isSystemdRunning,
    isServiceActive:
      isSystemdRunning && Bun.spawnSync(["systemctl", "is-active", "-q", SERVICE]).exitCode === 0,
  };
}

function hasUser(): boolean {
  try {
    return readFileSync("/etc/passwd", "utf8").includes(`${SERVICE_USER}:`);
  } catch {
    return false;
  }
}

const installed = ({ isSystemdRunning, isServiceActive }: Found) => `
${isServiceActive ? "Upgraded" : isSystemdRunning ? "Installed and started" : "Installed; systemd is not running here, so nothing was started"}: ${OWN_EXECUTABLE}, ${SERVICE}.

  routing file     ${ROUTING_FILE}
  API keys         ${ENVIRONMENT_FILE}
  first key        sudo -u ${SERVICE_USER} ${OWN_EXECUTABLE} keys create --name me --config ${ROUTING_FILE}
  is all well?     sudo -u ${SERVICE_USER} ${OWN_EXECUTABLE} doctor --config ${ROUTING_FILE}
  its log          journalctl -u embedgate`;
