/** Files of batches: which workspace owns them, their size limits, when they expire, and partial reads. */

import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { ENDPOINT, inputOf, openBatching, provider, sendJson, YAML } from "./opened";

const form = (fields: Readonly<Record<string, string | Blob>>) => {
  const made = new FormData();
  for (const [name, value] of Object.entries(fields))
    if (typeof value === "string") made.set(name, value);
    else made.set(name, value, "in.jsonl");
  return { method: "POST", body: made };
};

describe("a file", () => {
  test("does not exist for another workspace, and neither does its batch", async () => {
    await using batching = await openBatching(provider().fetch);
    const { open } = batching;
    const { gateway } = open;
    const headersOf = async (workspace: string) => {
      await gateway.workspaces.ensure(workspace);
      const { key } = await gateway.keys.create(workspace, workspace);
      return { authorization: `Bearer ${key}` };
    };
    const [mine, theirs] = [await headersOf("mine"), await headersOf("theirs")];
    const file = await batching.upload(inputOf(["a"]), mine);
    const made = await batching.create({ input_file_id: file.id, ...ENDPOINT }, mine);
    for (const path of [`/v1/files/${file.id}`, `/v1/files/${file.id}/content`, `/v1/batches/${made.id}`]) {
      expect((await open.send(path, { headers: mine })).status).toBe(200);
      const { status, json } = await open.send(path, { headers: theirs });
      expect([status, json]).toMatchObject([404, { error: { type: "invalid_request_error" } }]);
      expect((await open.send(path)).status).toBe(401);
    }
    expect((await open.send(`/v1/files/${file.id}`, { method: "DELETE", headers: theirs })).status).toBe(404);
    expect(
      (await open.send(`/v1/batches/${made.id}/cancel`, { method: "POST", headers: theirs })).status,
    ).toBe(404);
    const again = await sendJson(open, "/v1/batches", { input_file_id: file.id, ...ENDPOINT }, theirs);
    expect(again.status).toBe(404);
    expect((await open.send("/v1/files", { headers: theirs })).json).toMatchObject({ data: [] });
    expect((await open.send("/v1/batches", { headers: theirs })).json).toMatchObject({ data: [] });
  });

  test("is read as a whole or in one range", async () => {
    await using batching = await openBatching(provider().fetch);
    const { id } = await batching.upload("0123456789");
    const read = async (range: string) => {
      const { status, text, headers } = await batching.open.send(`/v1/files/${id}/content`, {
        headers: { range },
      });
      return [status, text, headers.get("content-range")];
    };
    expect(await read("bytes=2-4")).toEqual([206, "234", "bytes 2-4/10"]);
    expect(await read("bytes=7-")).toEqual([206, "789", "bytes 7-9/10"]);
    expect(await read("bytes=-3")).toEqual([206, "789", "bytes 7-9/10"]);
    expect(await read("bytes=0-99")).toEqual([206, "0123456789", "bytes 0-9/10"]);
    expect(await read("bytes=1-2,4-5")).toEqual([200, "0123456789", null]);
    expect((await read("bytes=10-"))[0]).toBe(416);
    const head = await batching.open.send(`/v1/files/${id}/content`, { method: "HEAD" });
    expect([head.status, head.text]).toEqual([200, ""]);
  });

  test("that exceeds its own or its workspace's size limit leaves nothing behind", async () => {
    const yaml = `${YAML}\nfiles: { max_file_mb: 1, max_workspace_mb: 2 }`;
    await using batching = await openBatching(provider().fetch, yaml);
    const { open } = batching;
    const blob = (bytes: number) => new Blob(["x".repeat(bytes)]);
    const upload = (bytes: number) => open.send("/v1/files", form({ purpose: "batch", file: blob(bytes) }));
    const refused = await upload(2 ** 20 + 1);
    expect([refused.status, refused.json]).toMatchObject([413, { error: { code: "payload_too_large" } }]);
    expect((await upload(2 ** 20)).status).toBe(200);
    expect((await upload(2 ** 20)).status).toBe(200);
    const full = await upload(1);
    expect(full.text).toContain("files.max_workspace_mb");
    expect(readdirSync(join(open.folder, "data/embedgate.db-files")).length).toBe(2);
  });

  test("expires, unless a batch still reads it", async () => {
    let now = Date.UTC(2027, 0, 15);
    await using batching = await openBatching(provider().fetch, YAML, { now: () => now });
    const { open } = batching;
    const said = await open.send(
      "/v1/files",
      form({
        purpose: "batch",
        file: new Blob(["a"]),
        "expires_after[anchor]": "created_at",
        "expires_after[seconds]": "3600",
      }),
    );
    expect(said.json).toMatchObject({ created_at: now / 1000, expires_at: now / 1000 + 3600 });
    const usual = await batching.upload("b");
    expect(usual.expires_at).toBe(now / 1000 + 30 * 86_400);
    const { id }: { id: string } = JSON.parse(said.text);
    const path = join(open.folder, "data/embedgate.db-files", id);
    expect(existsSync(path)).toBe(true);
    now += 3_600_000;
    expect((await open.send(`/v1/files/${id}`)).status).toBe(404);
    await batching.upload("c");
    expect(existsSync(path)).toBe(false);
  });

  test.each([
    [{ file: new Blob(["a"]) }, "purpose"],
    [{ file: new Blob(["a"]), purpose: "fine-tune" }, "purpose"],
    [{ purpose: "batch" }, "file"],
    [{ purpose: "batch", file: new Blob(["a"]), other: "x" }, "other"],
    [{ purpose: "batch", other: new Blob(["a"]) }, "other"],
    [{ purpose: "batch", file: new Blob(["a"]), "expires_after[seconds]": "3600" }, "expires_after[anchor]"],
    [
      {
        purpose: "batch",
        file: new Blob(["a"]),
        "expires_after[anchor]": "created_at",
        "expires_after[seconds]": "1",
      },
      "expires_after[seconds]",
    ],
  ])("%#: an upload is refused for %s", async (fields, param) => {
    await using batching = await openBatching(provider().fetch);
    const { status, json } = await batching.open.send("/v1/files", form(fields));
    expect([status, json]).toMatchObject([400, { error: { param } }]);
  });

  test("that is not a form is refused", async () => {
    await using batching = await openBatching(provider().fetch);
    const { open } = batching;
    expect((await sendJson(open, "/v1/files", {})).status).toBe(415);
    const cut = await open.send("/v1/files", {
      method: "POST",
      headers: { "content-type": "multipart/form-data; boundary=x" },
      body: '--x\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\nabc',
    });
    expect([cut.status, cut.json]).toMatchObject([400, { error: { type: "invalid_request_error" } }]);
  });

  test("is listed page by page", async () => {
    await using batching = await openBatching(provider().fetch);
    const ids: string[] = [];
    for (const text of ["a", "b", "c"]) ids.push((await batching.upload(text)).id);
    // Ids start with the time; within one millisecond their order is random.
    ids.sort();
    const page = async (query: string) => (await batching.open.send(`/v1/files?${query}`)).json;
    expect(await page("order=asc&limit=2")).toMatchObject({
      object: "list",
      data: [{ id: ids[0] }, { id: ids[1] }],
      first_id: ids[0],
      last_id: ids[1],
      has_more: true,
    });
    expect(await page(`order=asc&limit=2&after=${ids[1]}`)).toMatchObject({
      data: [{ id: ids[2] }],
      has_more: false,
    });
    expect(await page("")).toMatchObject({ data: ids.toReversed().map((id) => ({ id })) });
    expect(await page("purpose=batch_output")).toMatchObject({ data: [], first_id: null });
    expect(await page("limit=0")).toMatchObject({ error: { param: "limit" } });
  });
});

test("files: false turns batches off", async () => {
  await using batching = await openBatching(provider().fetch, `${YAML}\nfiles: false`);
  const { status, text } = await batching.open.send("/v1/batches");
  expect([status, text.includes("files: false")]).toEqual([404, true]);
});
