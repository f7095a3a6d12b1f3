/**
 * A server with as much of RESP as the gateway's client needs, which does on demand what no real one does: stops, cuts a reply in
 * the middle, sends invalid bytes, or refuses. A further fault is a member of `Fault`.
 */
export type Fault = "none" | "silent" | "cut" | "garbage" | "full" | "other shape";

export interface FakeServer extends Disposable {
  readonly url: string;
  /** What it does with commands from now on. */
  fault: Fault;
  /** Names of all commands that came, except for those of the client's handshake. */
  readonly commands: readonly string[];
  readonly connections: () => number;
}

const HELLO = new Set(["INFO", "HELLO", "CLIENT", "SELECT", "AUTH"]);

export function startFakeServer(): FakeServer {
  const commands: string[] = [];
  let connections = 0;
  const server = Bun.listen<{ pending: string }>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open(socket) {
        connections += 1;
        socket.data = { pending: "" };
      },
      data(socket, bytes) {
        socket.data.pending += bytes.toString("latin1");
        for (;;) {
          const next = parsed(socket.data.pending);
          if (!next) return;
          socket.data.pending = next.rest;
          const name = (next.words[0] ?? "").toUpperCase();
          if (HELLO.has(name)) {
            socket.write(name === "INFO" ? "$11\r\nloading:0\r\n\r\n" : "+OK\r\n");
            continue;
          }
          commands.push(name);
          if (fake.fault === "none") socket.write(name === "PING" ? "+PONG\r\n" : "+OK\r\n");
          if (fake.fault === "full")
            socket.write("-OOM command not allowed when used memory > 'maxmemory'.\r\n");
          if (fake.fault === "garbage") socket.write("HTTP/1.1 400 Bad Request\r\n\r\n");
          if (fake.fault === "other shape") socket.write(":42\r\n");
          if (fake.fault === "cut") {
            socket.write("$100\r\nthe beginn");
            socket.end();
          }
        }
      },
    },
  });
  const fake: FakeServer = {
    url: `redis://127.0.0.1:${server.port}`,
    fault: "none",
    commands,
    connections: () => connections,
    [Symbol.dispose]: () => server.stop(true),
  };
  return fake;
}

/** One command from the start of the received bytes; undefined if it is incomplete. */
function parsed(text: string): { readonly words: readonly string[]; readonly rest: string } | undefined {
  const head = /^\*(\d+)\r\n/.exec(text);
  if (!head) return undefined;
  let at = head[0].length;
  const words: string[] = [];
  for (let i = 0; i < Number(head[1]); i++) {
    const end = text.indexOf("\r\n", at);
    if (end < 0) return undefined;
    const length = Number(text.slice(at + 1, end));
    if (text.length < end + 2 + length + 2) return undefined;
    words.push(text.slice(end + 2, end + 2 + length));
    at = end + 2 + length + 2;
  }
  return { words, rest: text.slice(at) };
}
