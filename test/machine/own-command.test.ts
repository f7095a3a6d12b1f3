/** How the program names itself in commands that it prints. */
import { expect, test } from "bun:test";
import { ownCommand } from "../../src/machine/own-command";

const BUILT = "/$bunfs/built/main";

test.each([
  ["from source by the package's script", "/work/src/main.ts", "/usr/bin/bun", "/work", "bun run embedgate"],
  ["in the current folder by ./", BUILT, "/srv/embedgate", "/srv", "./embedgate"],
  ["in a folder below by its path", BUILT, "/srv/dist/embedgate", "/srv", "./dist/embedgate"],
  ["beside the current folder by ../", BUILT, "/srv/dist/embedgate", "/srv/data", "../dist/embedgate"],
  ["far away by its whole path", BUILT, "/opt/bin/embedgate", "/srv/a/b", "/opt/bin/embedgate"],
])("%s", (_, main, executable, folder, command) => {
  expect(ownCommand(main, executable, folder)).toBe(command);
});
