/**
 * The baseline: passes requests through and does nothing else, on the same runtime: no keys, no checks, no counts, no rows. It is its own process
 * and prints its port.
 */
const upstream = process.argv[2] ?? "";

const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  idleTimeout: 0,
  maxRequestBodySize: 2 ** 30,
  async fetch(request) {
    const body = await request.arrayBuffer();
    const path = new URL(request.url).pathname;
    const answer = await fetch(upstream + path, { method: "POST", headers: request.headers, body });
    return new Response(answer.body, { status: answer.status, headers: answer.headers });
  },
});
console.log(server.port);
