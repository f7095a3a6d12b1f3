/**
 * The baseline: what a request costs that is passed through and nothing else, by the same runtime. A process of its own; prints its port.
 * It checks no key, no schema and no vector, counts nothing and writes nothing.
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
