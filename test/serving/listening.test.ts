/**
 * A gateway's connections, in a separate process: how long they are kept, and how a vanished client is noticed.
 * No test waits for a fixed time: connections close by themselves, and the system's tables show their timers.
 */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { startServing, startUpstream, temporaryFolder, wireTo } from "../serving";

const LINUX = process.platform === "linux";
const body = JSON.stringify({ model: "m", input: "a" });

/** Each path is handled by another part of the gateway. */
const ASKED: readonly (readonly [string, string, string])[] = [
  ["nothing", "", ""],
  ["a health check", "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n", "200 OK"],
  ["an unknown path", "GET /nowhere HTTP/1.1\r\nhost: localhost\r\n\r\n", "404 Not Found"],
  [
    "an embedding",
    `POST /v1/embeddings HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    "200 OK",
  ],
  [
    "a refusal",
    "POST /v1/embeddings HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\n{}",
    "400 Bad Request",
  ],
];

describe("a connection without a request", () => {
  test.each(ASKED)(
    "is closed after the idle timeout, whatever was answered last: %s",
    async (_, asked, answer) => {
      using upstream = startUpstream();
      using folder = temporaryFolder({ "gateway.yaml": wireTo(upstream, "idle_timeout_ms: 1000") });
      await using child = await startServing(folder.path);
      const closed = Promise.withResolvers<string>();
      let text = "";
      const socket = connect(child.port, "127.0.0.1", () => socket.write(asked));
      socket.on("data", (chunk) => {
        text += chunk;
      });
      socket.on("close", () => closed.resolve(text));
      expect(await closed.promise).toContain(answer);
      expect(text).not.toContain("connection: close");
    },
  );
});

/** The purpose of a connection's kernel timer (proc(5), /proc/net/tcp): "02" is keep-alive. */
function timerOf(server: number, client: number): string | undefined {
  const ends = [server, client].map((port) => `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`);
  const line = readFileSync("/proc/net/tcp", "utf8")
    .split("\n")
    .find((row) => row.includes(ends.join(" ")));
  return line?.trim().split(/\s+/)[5]?.split(":")[0];
}

test.skipIf(!LINUX).each([1, 2])(
  "TCP keep-alive watches each connection of %d processes",
  async (processes) => {
    using upstream = startUpstream();
    using folder = temporaryFolder({ "gateway.yaml": wireTo(upstream, `processes: ${processes}`) });
    await using child = await startServing(folder.path);
    for (let i = 0; i < 8; i++) {
      const answered = Promise.withResolvers<void>();
      const socket = connect(child.port, "127.0.0.1", () =>
        socket.write("GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"),
      );
      socket.on("data", () => answered.resolve());
      await answered.promise;
      const { localPort = 0 } = socket;
      // While bytes of an answer are not acknowledged yet, the timer is for retransmission.
      while (timerOf(child.port, localPort) === "01") await new Promise((turn) => setImmediate(turn));
      expect(timerOf(child.port, localPort)).toBe("02");
      socket.destroy();
    }
  },
);
