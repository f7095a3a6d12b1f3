/**
 * Part of the one suite for every database: what is known about spaces and routes. A new promise of src/stores/stores.ts is a test in one of these
 * files; a separate file has what only one database has.
 */
import { describe, expect, test } from "bun:test";
import { isDeepStrictEqual } from "node:util";
import { KINDS, sqliteDatabase } from "./databases";
import { NOON } from "./rows";

for (const { name, isThere, make } of KINDS) {
  describe.skipIf(!isThere)(name, () => {
    test("a space's first measurement stays, and is confirmed and forgotten", async () => {
      await using database = make();
      const stores = await database.open({ now: () => NOON });
      const fingerprints = stores.openFingerprints();
      const one = {
        space: "m@3",
        dimensions: 3,
        vectors: [new Float32Array([0.1, -2, 3.5])],
        provider: "fake",
        model: "m",
        measuredAt: NOON,
        paidAt: null,
        confirmed: false,
      };
      const kept = await fingerprints.keep(one);
      expect(kept.vectors[0]).toEqual(one.vectors[0]);
      expect((await fingerprints.keep({ ...one, model: "later" })).model).toBe("m");
      await fingerprints.confirm("m@3");
      await fingerprints.paid("m@3", 5);
      expect(fingerprints.find("m@3")).toMatchObject({ confirmed: true, paidAt: 5, measuredAt: NOON });
      expect(fingerprints.list()).toHaveLength(1);
      expect([await fingerprints.forget("m@3"), await fingerprints.forget("m@3")]).toEqual([true, false]);
      expect(fingerprints.find("m@3")).toBeUndefined();
    });

    test("a route's last measurement replaces the one before", async () => {
      await using database = make();
      const records = (await database.open({ now: () => NOON })).openRecords();
      const record = {
        claim: "c",
        claimed: "s",
        provider: "p",
        model: "m",
        space: "t",
        serves: true,
        cosine: 0.25,
        cosines: { english: 0.5 },
        says: "alike",
        measuredAt: NOON,
      };
      await records.put({ ...record, serves: false });
      await records.put(record);
      for (const space of ["s", "t"]) expect(isDeepStrictEqual(await records.of(space), [record])).toBe(true);
      expect(await records.of("u")).toEqual([]);
    });

    test("a learned limit is found until its space is forgotten", async () => {
      await using database = make();
      const limits = (await database.open({ now: () => NOON })).openLimits();
      const of = { provider: "p", model: "m", configuration: "c" };
      const seen = { tokens: 512, learnedBy: "usage", wholeTo: 400 } as const;
      limits.keep({ ...of, space: "s" }, seen);
      for (let tries = 0; tries < 400 && limits.find(of).tokens === undefined; tries++) await Bun.sleep(5);
      expect(limits.find(of)).toEqual(seen);
      expect(limits.find({ ...of, configuration: "d" }).tokens).toBeUndefined();
      await limits.forget("s");
      expect(limits.find(of).tokens).toBeUndefined();
    });

    test("what two machines learn of one route at the same time is combined: the smaller limit applies", async () => {
      await using database = make();
      const one = await database.open({ now: () => NOON });
      const other = make === sqliteDatabase ? one : await database.open({ now: () => NOON });
      const [limits, others] = [one.openLimits(), other.openLimits()];
      const routes = Array.from({ length: 30 }, (_, i) => ({
        provider: "p",
        model: `m${i}`,
        configuration: "c",
      }));
      const seen = { learnedBy: "trial", wholeTo: 0 } as const;
      for (const of of routes) {
        limits.keep({ ...of, space: "s" }, { ...seen, tokens: 254 });
        others.keep({ ...of, space: "s" }, { ...seen, tokens: 510 });
      }
      const kept = () => routes.map((of) => limits.find(of).tokens);
      const right = routes.map(() => 254);
      for (let tries = 0; tries < 400 && !isDeepStrictEqual(kept(), right); tries++) await Bun.sleep(5);
      expect(kept()).toEqual(right);
    });
  });
}
