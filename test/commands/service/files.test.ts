/** The unit that `install` and the package write: hardened by systemd's own score; and the routing file, which is valid. */
import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { FIRST_ROUTING_FILE, unitText } from "../../../src/commands/service/files";
import { OWN_EXECUTABLE } from "../../../src/commands/service/places";
import { runCommand } from "../../command-line";
import { temporaryFolder } from "../../serving";

/** In .ci/run from the package systemd; elsewhere it may be missing. */
const ANALYZE = Bun.which("systemd-analyze");

test.skipIf(ANALYZE === null)("systemd-analyze scores the unit 2.0 at most, and knows every line", () => {
  using folder = temporaryFolder();
  const unit = join(folder.path, "embedgate.service");
  writeFileSync(unit, unitText("/bin/true"));
  const analyze = (...args: string[]) => {
    const { stdout, stderr, exitCode } = Bun.spawnSync([ANALYZE ?? "", ...args, unit]);
    return { out: stdout.toString(), errors: stderr.toString(), exitCode };
  };
  const { out } = analyze("security", "--offline=true", "--no-pager");
  const score = Number(/exposure level for embedgate\.service: ([\d.]+)/.exec(out)?.[1]);
  expect(score).toBeGreaterThan(0);
  expect(score).toBeLessThanOrEqual(2.0);
  // It also checks units of this machine, which are not ours.
  const ours = analyze("verify")
    .errors.split("\n")
    .filter((line) => line.includes(unit));
  expect(ours).toEqual([]);
});

test("the unit says why the one protection that a JIT cannot have is off", () => {
  const text = unitText(OWN_EXECUTABLE);
  expect(text).toMatch(/# .*\(JIT\).*\nMemoryDenyWriteExecute=no\n/);
  expect(text).toContain(`ExecReload=${OWN_EXECUTABLE} reload`);
});

test("the first routing file is valid", async () => {
  using folder = temporaryFolder({ "gateway.yaml": FIRST_ROUTING_FILE });
  const { code, errors, out } = await runCommand(["check", "--strict"], { folder: folder.path });
  expect([code, errors, out]).toEqual([0, "", expect.stringContaining("valid: 1 model")]);
});
