/**
 * Part of the one suite for every database: keys, workspaces and their rights. A new promise of src/stores/stores.ts is a test in one of these
 * files; a separate file has what only one database has.
 */
import { describe, expect, test } from "bun:test";
import { KINDS } from "./databases";
import { holdingOf, NOON, rowOf, underWay } from "./rows";

const DEFAULTS = () => ({});

for (const { name, isThere, make } of KINDS) {
  describe.skipIf(!isThere)(name, () => {
    test("a key works for its workspace until it is revoked, and the end is reported", async () => {
      await using database = make();
      const keys = (await database.open({ now: () => NOON })).openKeys();
      expect(keys.everNeeded()).toBe(false);
      const made = await keys.create("ci", "team");
      const admin = await keys.create("boss", "default", true);
      expect(keys.everNeeded()).toBe(true);
      expect(keys.find(made.key)).toEqual({ keyId: made.id, workspace: "team", isAdmin: false });
      expect(keys.find(admin.key)?.isAdmin).toBe(true);
      expect(keys.find("eg-nobody's")).toBeUndefined();
      await keys.revoke(made.id);
      expect(keys.find(made.key)).toBeUndefined();
      expect(keys.endOf(made.key)).toContain("was revoked on 2026-11-28T12:00:00.000Z");
      await expect(keys.revoke(made.id)).rejects.toMatchObject({ kind: "invalid" });
      expect(keys.list().map((key) => [key.name, key.workspace, key.admin, key.revoked_at])).toEqual(
        expect.arrayContaining([
          ["ci", "team", false, NOON],
          ["boss", "default", true, null],
        ]),
      );
    });

    test("a rotated secret works until its grace period is over", async () => {
      await using database = make();
      const clock = { now: NOON };
      const keys = (await database.open({ now: () => clock.now })).openKeys();
      const made = await keys.create("ci", "team");
      clock.now += 1;
      const next = await keys.rotate(made.id, 1_000);
      expect(next.id).toBe(made.id);
      expect([keys.find(made.key)?.keyId, keys.find(next.key)?.keyId]).toEqual([made.id, made.id]);
      expect(keys.list()[0]).toMatchObject({
        hint: `${next.key.slice(0, 7)}…`,
        old_secret_until: NOON + 1_001,
      });
      clock.now += 1_000;
      expect(keys.find(made.key)).toBeUndefined();
      expect(keys.find(next.key)?.keyId).toBe(made.id);
      expect(keys.endOf(made.key)).toContain("was rotated out");
      await expect(keys.rotate("key_none", 0)).rejects.toMatchObject({ kind: "invalid" });
    });

    test("a bootstrap key is an admin's, and another one replaces it", async () => {
      await using database = make();
      const keys = (await database.open({ now: () => NOON })).openKeys();
      const hash = (secret: string) => new Bun.CryptoHasher("sha256").update(secret).digest("hex");
      await keys.bootstrap(hash("first"));
      await keys.bootstrap(hash("first"));
      expect(keys.find("first")).toMatchObject({ workspace: "default", isAdmin: true });
      await keys.bootstrap(hash("second"));
      expect([keys.find("first"), keys.find("second")?.isAdmin]).toEqual([undefined, true]);
      await keys.bootstrap(hash("first"));
      expect([keys.find("first")?.isAdmin, keys.find("second")]).toEqual([true, undefined]);
      expect(keys.list()).toHaveLength(2);
    });

    test("that tokens were once accepted is remembered for ever", async () => {
      await using database = make();
      const keys = (await database.open({ now: () => NOON })).openKeys();
      await keys.tokensTaken();
      await keys.tokensTaken();
      expect(keys.everNeeded()).toBe(true);
    });

    test("a workspace's settings are its own, or the defaults", async () => {
      await using database = make();
      const stores = await database.open({ now: () => NOON });
      const workspaces = stores.openWorkspaces(() => ({ requests_per_minute: 7 }));
      expect(workspaces.exists("team")).toBe(false);
      const made = await workspaces.create("team", { tokens_per_minute: 5, models: ["a", "b*"] }, 100n);
      expect(made).toMatchObject({
        name: "team",
        created_at: NOON,
        micro_credits: 100n,
        micro_credits_held: 0n,
      });
      expect(workspaces.exists("team")).toBe(true);
      expect(workspaces.rules("team")).toMatchObject({
        requestsPerMinute: 7,
        tokensPerMinute: 5,
        models: ["a", "b*"],
        pays: true,
      });
      await workspaces.set("team", {
        tokens_per_minute: null,
        cap_usd_per_day: 0.25,
        cap_time_zone: "Asia/Tokyo",
      });
      expect(workspaces.rules("team")).toMatchObject({ tokensPerMinute: undefined });
      expect(workspaces.rules("team").terms.caps).toEqual({
        day: 250_000_000_000n,
        month: undefined,
        timeZone: "Asia/Tokyo",
      });
      await expect(workspaces.create("team", {}, null)).rejects.toMatchObject({ kind: "invalid" });
      await expect(workspaces.set("taem", {})).rejects.toThrow('did you mean "team"');
      await expect(workspaces.show("other")).rejects.toMatchObject({ kind: "invalid" });
      expect(await workspaces.ensure("team")).toBe(false);
      expect(await workspaces.ensure("new")).toBe(true);
      expect((await workspaces.list()).map((one) => one.name)).toEqual(["new", "team"]);
    });

    test("credits are granted, and taken back as far as they are not held", async () => {
      await using database = make();
      const stores = await database.open({ now: () => NOON });
      const workspaces = stores.openWorkspaces(DEFAULTS);
      const ledger = stores.openLedger();
      await workspaces.create("team", {}, 100n);
      await ledger.begin(underWay(rowOf(0)), holdingOf({ least: 1, most: 60 }));
      await expect(workspaces.grant("team", -50n, "back")).rejects.toThrow("hold 0.00006");
      expect((await workspaces.grant("team", -40n, "back")).micro_credits).toBe(60n);
      expect((await workspaces.setCredits("team", 70n, "set")).micro_credits).toBe(70n);
      expect((await workspaces.setCredits("team", null, "free")).micro_credits).toBeNull();
      await expect(workspaces.grant("team", 1n, "more")).rejects.toMatchObject({ kind: "invalid" });
      expect(
        (await workspaces.grants("team")).map((one) => [one.micro_credits, one.balance, one.note]),
      ).toEqual([
        [100n, 100n, "to begin with"],
        [-40n, 60n, "back"],
        [10n, 70n, "set"],
        [-70n, 0n, "free"],
      ]);
    });

    test("a workspace is renamed with everything that belongs to it, and deleting it revokes its keys", async () => {
      await using database = make();
      const stores = await database.open({ now: () => NOON });
      const workspaces = stores.openWorkspaces(DEFAULTS);
      const names = stores.openWorkspaceNames();
      const keys = stores.openKeys();
      const ledger = stores.openLedger();
      await workspaces.create("team", {}, 100n);
      const { key } = await keys.create("ci", "team");
      const row = rowOf(1);
      await ledger.begin(underWay(row), holdingOf({ least: 1, most: 1 }));
      await expect(names.rename("team", "crew")).rejects.toThrow("in flight");
      await ledger.settle(row);
      await names.rename("team", "crew");
      expect(keys.find(key)?.workspace).toBe("crew");
      expect([workspaces.exists("team"), workspaces.exists("crew")]).toEqual([false, true]);
      expect(await ledger.usage(0, "workspace")).toMatchObject([{ group: "crew" }]);
      await workspaces.create("other", {}, null);
      await expect(names.rename("other", "crew")).rejects.toThrow("is or was another workspace's");
      expect(await names.remove("crew")).toBe(1);
      expect(keys.find(key)).toBeUndefined();
      expect(workspaces.exists("crew")).toBe(false);
      await expect(names.remove("default")).rejects.toMatchObject({ kind: "invalid" });
    });
  });
}
