/** Which parts of a process's memory are the executable's code. */
import { expect, test } from "bun:test";
import { codeOf } from "../../src/machine/start-pages";

const MAPS = `00200000-01a3f000 r--p 00000000 fe:00 263 /usr/bin/embedgate
01a40000-06865000 r-xp 01840000 fe:00 263 /usr/bin/embedgate
06866000-06a00000 rw-p 06666000 fe:00 263 /usr/bin/embedgate
7f24b93b9000-7f24b950f000 r-xp 00028000 fe:00 99  /usr/lib/x86_64-linux-gnu/libc.so.6
7f24b9600000-7f24b9700000 rwxp 00000000 00:00 0
`;

test("only what is run, of that file, and never written to", () => {
  expect(codeOf("/usr/bin/embedgate", MAPS)).toEqual([{ from: 0x01a40000n, to: 0x06865000n }]);
});

test("a path with spaces", () => {
  const maps = MAPS.replaceAll("/usr/bin/embedgate", "/opt/my tools/embedgate");
  expect(codeOf("/opt/my tools/embedgate", maps)).toHaveLength(1);
});

test("of an executable that was replaced meanwhile, nothing", () => {
  expect(codeOf("/usr/bin/embedgate", MAPS.replaceAll("embedgate", "embedgate (deleted)"))).toEqual([]);
});
