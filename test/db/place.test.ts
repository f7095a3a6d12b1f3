/**
 * A database on a file system where SQLite's shared memory does not work is refused, saying so and where to put it.
 */
import { expect, test } from "bun:test";
import { placeOf } from "../../src/db/open";

const withCode = (code: string) => Object.assign(new Error("disk I/O error"), { code });

test.each(["SQLITE_IOERR_SHMOPEN", "SQLITE_IOERR_SHMMAP", "SQLITE_IOERR_SHMSIZE", "SQLITE_PROTOCOL"])(
  "%s is told as the file system's fault",
  (code) => expect(placeOf(withCode(code))).toContain("put it on a local disk"),
);

test.each(["SQLITE_CORRUPT", "SQLITE_FULL", "SQLITE_IOERR_WRITE"])("%s is not", (code) =>
  expect(placeOf(withCode(code))).toBe(""),
);
