/**
 * What `shared` opens: it needs the rights of docs/many-machines.md and no others, and is closed with the gateway.
 * The server is a real one (server.ts).
 */
import { describe, expect, test } from "bun:test";
import { blocksOf } from "../docs/blocks";
import { openMachines } from "./machines";
import { eventually, HAS_SERVER, startServer } from "./server";

const DOCUMENTED = blocksOf("docs/many-machines.md").find(({ text }) =>
  text.startsWith("redis-cli ACL SETUSER"),
);

describe.skipIf(!HAS_SERVER)("a gateway with a shared server", () => {
  test("needs the documented rights, and no others", async () => {
    await using server = await startServer();
    const [, ...words] = DOCUMENTED?.text.trim().replaceAll('"', "").split(" ") ?? [];
    expect(words).toContain("gateway");
    expect(await server.ask(...words)).toBe("OK");
    const url = server.url.replace("//", "//gateway:secret@");
    await using machines = await openMachines({
      count: 2,
      more: `shared: ${url}\ncache: {}\nworkspace_defaults: { requests_per_minute: 1000, tokens_per_minute: 1000 }`,
    });
    const sent = await machines.ask(0, ["a", "b"]);
    expect(sent.headers.get("x-ratelimit-remaining-tokens")).toBe("998");
    await eventually(
      async () => (await machines.ask(1, "a")).headers.get("x-embedgate-cache") === "hit=1, miss=0",
    );
    for (const { gateway } of machines.gateways) {
      expect(await gateway.metrics.text()).not.toContain('reason="refused"');
    }
    expect(await server.ask("ACL", "LOG")).toBe("");
  });

  test("leaves no connection and no machine behind when it ends", async () => {
    await using server = await startServer();
    const clients = async () => {
      const list = await server.ask("CLIENT", "LIST");
      // The connection that asks is listed too.
      return list.split("\n").filter(Boolean).length - 1;
    };
    const machines = await openMachines({ count: 2, more: `shared: ${server.url}` });
    const names = "embedgate:{embedgate}:machines";
    await eventually(async () => (await clients()) === 4 && (await server.ask("ZCARD", names)) === "2");
    await machines[Symbol.asyncDispose]();
    await eventually(async () => (await clients()) === 0);
    expect(await server.ask("ZCARD", names)).toBe("0");
  });
});
