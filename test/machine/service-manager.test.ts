/** What systemd receives from the gateway on a real socket: READY, STOPPING, and WATCHDOG as often as it asks. */
import { ptr } from "bun:ffi";
import { expect, test } from "bun:test";
import { join } from "node:path";
import { openLibc } from "../../src/machine/libc";
import { openServiceManager } from "../../src/machine/service-manager";
import { startServing, temporaryFolder } from "../serving";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const MSG_DONTWAIT = 0x40;

/** A service manager's socket, like systemd's. */
function listenAt(path: string) {
  const libc = openLibc({
    socket: { args: ["i32", "i32", "i32"], returns: "i32" },
    bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
    recv: { args: ["i32", "ptr", "u64", "i32"], returns: "i64" },
    close: { args: ["i32"], returns: "i32" },
  });
  if (libc === undefined) throw new Error("no C library");
  const descriptor = libc.socket(AF_UNIX, SOCK_DGRAM, 0);
  const address = Buffer.concat([Buffer.from([AF_UNIX, 0]), Buffer.from(path.replace(/^@/, "\0"))]);
  if (libc.bind(descriptor, ptr(address), address.length) !== 0) throw new Error(`cannot bind ${path}`);
  const buffer = Buffer.alloc(4096);
  return {
    heard(): string[] {
      const words: string[] = [];
      for (;;) {
        const bytes = Number(libc.recv(descriptor, ptr(buffer), buffer.length, MSG_DONTWAIT));
        if (bytes < 0) return words;
        words.push(buffer.toString("utf8", 0, bytes));
      }
    },
    [Symbol.dispose]: () => void libc.close(descriptor),
  };
}

/** An alarm that fires when the test says so. */
function alarms() {
  const set: { readonly ms: number; readonly ring: () => void }[] = [];
  return {
    alarm(ms: number, ring: () => void) {
      const one = { ms, ring };
      set.push(one);
      return () => void set.splice(set.indexOf(one), 1);
    },
    ring: () => set.shift()?.ring(),
    waiting: () => set.map(({ ms }) => ms),
  };
}

const onLinux = test.skipIf(process.platform !== "linux");

onLinux.each(["a path", "a name in the abstract namespace"])("systemd is told by %s", (kind) => {
  using folder = temporaryFolder();
  const NOTIFY_SOCKET = kind === "a path" ? join(folder.path, "s") : `@embedgate-test-${process.pid}`;
  using manager = listenAt(NOTIFY_SOCKET);
  const { alarm, ring, waiting } = alarms();
  const environment = { NOTIFY_SOCKET, WATCHDOG_USEC: "60000000", WATCHDOG_PID: String(process.pid) };
  const told = openServiceManager({ environment, alarm });
  expect([manager.heard(), waiting()]).toEqual([[], []]);
  told.ready();
  expect([manager.heard(), waiting()]).toEqual([["READY=1", "WATCHDOG=1"], [30_000]]);
  ring();
  expect([manager.heard(), waiting()]).toEqual([["WATCHDOG=1"], [30_000]]);
  told.stopping();
  expect([manager.heard(), waiting()]).toEqual([["STOPPING=1", "WATCHDOG=1"], [30_000]]);
});

onLinux("nothing is said of being alive where another process is watched, or none", () => {
  using folder = temporaryFolder();
  const NOTIFY_SOCKET = join(folder.path, "s");
  using manager = listenAt(NOTIFY_SOCKET);
  for (const more of [{}, { WATCHDOG_USEC: "60000000", WATCHDOG_PID: "1" }, { WATCHDOG_USEC: "soon" }]) {
    const { alarm, waiting } = alarms();
    openServiceManager({ environment: { NOTIFY_SOCKET, ...more }, alarm }).ready();
    expect([manager.heard(), waiting()]).toEqual([["READY=1"], []]);
  }
});

test("if nobody listens, or the address is invalid, nothing happens", () => {
  const { alarm, waiting } = alarms();
  for (const NOTIFY_SOCKET of [undefined, "", "relative", `/${"x".repeat(200)}`, "/nowhere/at/all"]) {
    const told = openServiceManager({ environment: { NOTIFY_SOCKET }, alarm });
    told.ready();
    told.stopping();
  }
  expect(waiting()).toEqual([]);
});

onLinux.each([1, 2])(
  "a gateway of %d processes says that it is ready, and that it ends",
  async (processes) => {
    using folder = temporaryFolder({ "gateway.yaml": `server: { processes: ${processes}, drain_ms: 0 }\n` });
    const path = join(folder.path, "s");
    using manager = listenAt(path);
    await using gateway = await startServing(folder.path, ["env", `NOTIFY_SOCKET=${path}`]);
    gateway.signal("SIGTERM");
    await gateway.ended();
    expect(manager.heard()).toEqual(["READY=1", "STOPPING=1"]);
  },
);
