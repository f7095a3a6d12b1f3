/** The steps of `install` and `uninstall`, their order, and their results on disk. */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  carryOut,
  type Found,
  stepsToInstall,
  stepsToUninstall,
  wordsOf,
} from "../../../src/commands/service/steps";
import { runCommand } from "../../command-line";
import { temporaryFolder } from "../../serving";

const NOTHING: Found = {
  hasUser: false,
  hasRoutingFile: false,
  hasEnvironmentFile: false,
  isSystemdRunning: true,
  isServiceActive: false,
};
const heads = (steps: ReturnType<typeof stepsToInstall>) => steps.map((step) => wordsOf(step).split("\n")[0]);

describe("the steps", () => {
  test("of a first installation create user, folders, files and unit, and start it", () => {
    expect(heads(stepsToInstall(NOTHING, "/tmp/embedgate"))).toEqual([
      "useradd --system --user-group --no-create-home --home-dir /var/lib/embedgate --shell /usr/sbin/nologin embedgate",
      "install -d -o root -g root -m 0755 /etc/embedgate",
      "install -d -o embedgate -g embedgate -m 0700 /var/lib/embedgate",
      "write /etc/embedgate/gateway.yaml (mode 0640):",
      "chown root:embedgate /etc/embedgate/gateway.yaml",
      "write /etc/embedgate/environment (mode 0600):",
      "install -m 0755 /tmp/embedgate /usr/local/bin/embedgate",
      "write /etc/systemd/system/embedgate.service (mode 0644):",
      "systemctl daemon-reload",
      "systemctl enable embedgate.service",
      "systemctl start embedgate.service",
    ]);
  });

  test("of an upgrade keep the configuration, and replace the executable without downtime if possible", () => {
    const found = { hasUser: true, hasRoutingFile: true, hasEnvironmentFile: true };
    const steps = heads(
      stepsToInstall({ ...found, isSystemdRunning: true, isServiceActive: true }, "/tmp/embedgate"),
    );
    expect(steps.join("\n")).not.toMatch(/useradd|gateway\.yaml \(mode|environment/);
    expect(steps.at(-1)).toBe(
      "/usr/local/bin/embedgate reload --upgrade --config /etc/embedgate/gateway.yaml || systemctl restart embedgate.service",
    );
  });

  test("of an uninstallation keep configuration and database, unless they are to be removed", () => {
    const found = { ...NOTHING, hasUser: true };
    expect(heads(stepsToUninstall(found, false)).join("\n")).not.toMatch(
      /\/etc\/embedgate|\/var\/lib|userdel/,
    );
    expect(heads(stepsToUninstall(found, true)).slice(-3)).toEqual([
      "rm -rf /etc/embedgate",
      "rm -rf /var/lib/embedgate",
      "userdel embedgate",
    ]);
  });
});

describe("carried out", () => {
  test("files are where the steps say, with their modes, and a running executable is replaced", async () => {
    using folder = temporaryFolder({ "new-executable": "new" });
    const root = join(folder.path, "root");
    const ran: string[] = [];
    const run = async (words: readonly string[]) => {
      ran.push(words[0] ?? "");
      return 0;
    };
    const steps = stepsToInstall(NOTHING, join(folder.path, "new-executable"));
    expect(await carryOut(steps, root, run)).toBeUndefined();
    const mode = (path: string) => statSync(join(root, path)).mode & 0o7777;
    expect(mode("etc/embedgate/environment")).toBe(0o600);
    expect(mode("etc/embedgate/gateway.yaml")).toBe(0o640);
    expect(mode("usr/local/bin/embedgate")).toBe(0o755);
    const before = statSync(join(root, "usr/local/bin/embedgate")).ino;
    writeFileSync(join(folder.path, "new-executable"), "newer");
    await carryOut(steps, root, run);
    expect(readFileSync(join(root, "usr/local/bin/embedgate"), "utf8")).toBe("newer");
    // A different file: a running one cannot be written to.
    expect(statSync(join(root, "usr/local/bin/embedgate")).ino).not.toBe(before);
    expect(await carryOut(stepsToUninstall(NOTHING, true), root, run)).toBeUndefined();
    expect(existsSync(join(root, "etc/embedgate"))).toBe(false);
    expect(ran.filter((word) => word === "useradd")).toHaveLength(2);
  });

  test("the first step that fails ends it, and is reported; optional steps are tried before", async () => {
    using folder = temporaryFolder();
    const ran: string[] = [];
    const failing = (bad: RegExp) => async (words: readonly string[]) => {
      ran.push(words.join(" "));
      return bad.test(words.join(" ")) ? 1 : 0;
    };
    const first = stepsToInstall(NOTHING, "/nowhere");
    expect(await carryOut(first, folder.path, failing(/useradd/))).toMatch(/^This command failed: useradd/);
    expect(ran).toHaveLength(1);
    expect(await carryOut(first, folder.path, failing(/nothing/))).toMatch(/\/nowhere.*ENOENT/);
    const upgrade = stepsToInstall({ ...NOTHING, isServiceActive: true }, "/usr/local/bin/embedgate");
    expect(await carryOut(upgrade, folder.path, failing(/--upgrade/))).toBeUndefined();
    expect(ran.at(-1)).toBe("systemctl restart embedgate.service");
    expect(await carryOut(upgrade, folder.path, failing(/--upgrade|restart/))).toContain("failed");
  });
});

test("from source --dry-run prints every step and changes nothing; without it the executable is required", async () => {
  const dry = await runCommand(["install", "--dry-run"]);
  expect([dry.code, dry.errors]).toEqual([0, ""]);
  expect(dry.out).toContain("    ProtectSystem=strict");
  expect(existsSync("/etc/embedgate")).toBe(false);
  const refused = await runCommand(["install"]);
  expect([refused.code, refused.errors]).toEqual([1, expect.stringContaining("bun run build")]);
});
