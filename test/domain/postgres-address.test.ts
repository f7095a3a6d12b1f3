/** Addresses of PostgreSQL databases, as libpq has them: several hosts, each with its port, and which of them may be used. */
import { describe, expect, test } from "bun:test";
import { readPostgresAddress } from "../../src/domain/postgres-address";

const read = (address: string) => {
  const found = readPostgresAddress(address);
  return "problem" in found
    ? found.problem
    : { urls: found.urls.map(({ href }) => href), session: found.session };
};

describe("one host", () => {
  test("is taken as it is, on a primary or not", () => {
    const address = "postgres://me:a%40b,c@db:5433/books?sslmode=require";
    expect(read(address)).toEqual({ urls: [address], session: "any" });
  });

  test("may be asked to take writes, which is not the server's to know", () => {
    expect(read("postgresql://db/books?a=1&target_session_attrs=read-write&b=2")).toEqual({
      urls: ["postgresql://db/books?a=1&b=2"],
      session: "read-write",
    });
  });
});

describe("several hosts", () => {
  test("have the user, the database and the parameters in common, and a port each", () => {
    expect(
      read("postgres://me:secret@a:1,b,[::1]:3/books?sslmode=require&target_session_attrs=primary"),
    ).toEqual({
      urls: [
        "postgres://me:secret@a:1/books?sslmode=require",
        "postgres://me:secret@b/books?sslmode=require",
        "postgres://me:secret@[::1]:3/books?sslmode=require",
      ],
      session: "primary",
    });
  });

  test("are asked for the one that takes writes", () => {
    expect(read("postgres://a,b/books")).toMatchObject({ session: "read-write" });
    expect(read("postgres://a,b/books?target_session_attrs=any")).toMatchObject({ session: "any" });
  });
});

test("what is no address is refused without being quoted", () => {
  for (const address of [
    "postgres://me:secret@a,,b/books",
    "postgres://me:secret@a",
    "postgres://me:secret@a/",
    "postgres:///books",
    "postgres://me:secret@a:port/books",
    "postgres:books",
  ]) {
    expect(read(address)).toContain("is no address of a PostgreSQL database");
    expect(read(address)).not.toContain("secret");
  }
  expect(read("postgres://a,b/books?target_session_attrs=standby")).toContain(
    "expected any, read-write, primary",
  );
});
