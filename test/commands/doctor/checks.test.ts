/** What single checks of `doctor` conclude from the machine's data: clocks, mounts, limits, certificates. */

import { describe, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { certificate, openFiles } from "../../../src/commands/doctor/address";
import { aheadMs, clock, type DateSeen, watchingDates } from "../../../src/commands/doctor/providers";
import { fileSystem } from "../../../src/commands/doctor/storage";
import { makeAuthority } from "../../certificates";
import { fakeOutside } from "../../fake-outside";

const NOON = Date.UTC(2026, 0, 1, 12);
const seen = (theirs: number, sent = NOON, answered = NOON + 200): DateSeen => ({
  host: "a",
  sent,
  answered,
  theirs,
});

describe("the clock", () => {
  test("is off by what neither the duration of the call nor whole seconds explain", () => {
    expect(aheadMs(seen(NOON))).toBe(0);
    expect(aheadMs(seen(NOON - 900))).toBe(0);
    expect(aheadMs(seen(NOON - 61_000))).toBe(60_000);
    expect(aheadMs(seen(NOON + 60_200))).toBe(-60_000);
  });

  test("is judged by the median of the answers: one server may be wrong itself", () => {
    expect(clock([]).result).toBe("note");
    expect(clock([seen(NOON), seen(NOON), seen(NOON + 9e6)]).result).toBe("ok");
    const behind = clock([seen(NOON + 60_200), seen(NOON + 60_200), seen(NOON)]);
    expect(behind).toMatchObject({ result: "note", mend: "timedatectl set-ntp true" });
    expect(behind.says).toContain("60 s behind");
    expect(clock([seen(NOON - 301_000)])).toMatchObject({
      result: "wrong",
      says: expect.stringContaining("300 s ahead of"),
    });
  });

  test("is compared with every answer that has a date, except this machine's own", async () => {
    const dates: DateSeen[] = [];
    const date = new Date(NOON).toUTCString();
    const { outside } = fakeOutside({
      now: () => NOON + 5,
      fetch: async (url) => new Response("", { headers: url.includes("dateless") ? {} : { date } }),
    });
    const watched = watchingDates(outside, dates);
    for (const url of ["https://api.example/v1", "http://127.0.0.1:1/", "https://dateless.example/"])
      await watched.fetch(url, {});
    expect(dates).toEqual([{ host: "api.example", sent: NOON + 5, answered: NOON + 5, theirs: NOON }]);
  });
});

test("a network file system is found by the mount that contains the folder, the last one of them", () => {
  const mounts = [
    "/dev/vda / ext4 rw 0 0",
    "server:/export /tmp nfs4 rw 0 0",
    "//nas/x /srv cifs rw 0 0",
    "tmpfs /srv tmpfs rw 0 0",
  ].join("\n");
  expect(fileSystem("/tmp/not-there-yet", mounts)).toMatchObject({
    result: "wrong",
    says: expect.stringContaining("nfs4 (/tmp)"),
    mend: expect.stringContaining("local disk"),
  });
  expect(fileSystem("/srv/x", mounts)).toMatchObject({ result: "ok", says: expect.any(String) });
  expect(fileSystem("/usr", mounts)).toMatchObject({ result: "ok", says: "/usr is on ext4" });
  // /tmpfoo is not in /tmp.
  expect(fileSystem("/usr", mounts.replace("/tmp ", "/us "))).toMatchObject({ result: "ok" });
  expect(fileSystem("/usr", "").result).toBe("note");
});

test("a low limit of open files is a note", () => {
  const limits = (hard: string) =>
    `Max open files            1024                 ${hard}              files`;
  expect(openFiles(limits("1024"))[0]).toMatchObject({
    result: "note",
    mend: expect.stringContaining("ulimit"),
  });
  expect(openFiles(limits("524288"))[0]?.result).toBe("ok");
  expect(openFiles("")).toEqual([]);
});

test("a certificate is judged by the days that it is still valid", () => {
  using authority = makeAuthority();
  const { cert } = authority.sign("127.0.0.1");
  const end = Date.parse(new X509Certificate(cert).validTo);
  const DAY_MS = 86_400_000;
  expect(certificate(undefined, NOON)).toEqual([]);
  expect(certificate({ cert }, end - 30 * DAY_MS)[0]?.result).toBe("ok");
  expect(certificate({ cert }, end - 5 * DAY_MS)[0]).toMatchObject({ result: "note" });
  expect(certificate({ cert }, end + DAY_MS)[0]).toMatchObject({ result: "wrong" });
});
