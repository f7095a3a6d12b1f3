/**
 * Whatever is sent to the Admin API, the answer matches the document: one of its status codes and a body of its schema; never a 500.
 */
import { expect, test } from "bun:test";
import { Value } from "@sinclair/typebox/value";
import fc from "fast-check";
import { ADMIN_PATHS } from "../../../src/admin/api/paths";
import { FAKE_YAML, type OpenGateway, openGateway } from "../../gateway";

const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.constantFrom(
    "default",
    "acme",
    "fake-8",
    "2026-11",
    "24h",
    "-1",
    "1e999",
    "2026-11-28T00:00:00Z",
    "csv",
    "0",
    "9".repeat(30),
  ),
);
const value: fc.Arbitrary<unknown> = fc.oneof(
  fc.jsonValue(),
  text,
  fc.integer(),
  fc.constantFrom("12.5", null),
);

/** Mostly names that the path knows, with valid or invalid values. */
const asked = fc.constantFrom(...ADMIN_PATHS).chain((path) => {
  const names = [...Object.keys(path.query), ...(path.hasCsv ? ["format"] : []), "nonsense"];
  const fields = Object.keys(Object(path.request?.schema.properties));
  return fc.record({
    path: fc.constant(path),
    params: fc.array(text, { minLength: 2, maxLength: 2 }),
    query: fc.array(fc.tuple(fc.constantFrom(...names), text), { maxLength: 3 }),
    body: fc.oneof(
      fc.dictionary(fc.constantFrom(...fields, "nonsense"), value, { maxKeys: 3 }),
      value,
      fc.constant(undefined),
    ),
  });
});

async function send(
  open: OpenGateway,
  { path, params, query, body }: typeof asked extends fc.Arbitrary<infer Asked> ? Asked : never,
) {
  let place = 0;
  const filled = path.path.replaceAll(/\{\w+\}/g, () => {
    const param = params[place++ % 2] ?? "";
    return encodeURIComponent(param.toWellFormed()) || "x";
  });
  const search = new URLSearchParams(query.map(([name, said]) => [name, said.toWellFormed()]));
  const init = { method: path.method, headers: { "content-type": "application/json" } };
  const sent = body === undefined || path.method === "GET" ? init : { ...init, body: JSON.stringify(body) };
  return open.send(`${filled}?${search}`, sent);
}

test("garbage is answered in the error envelope, and valid requests match their schema", async () => {
  // Otherwise the first key that is created would end open mode.
  await using open = await openGateway({ yaml: `${FAKE_YAML}\nauth: { mode: open }` });
  await open.post({ model: "fake-8", input: "two words", metadata: { team: "search" } });
  await fc.assert(
    fc.asyncProperty(asked, async (one) => {
      const { status, json, headers } = await send(open, one);
      const known = [one.path.status, 400, 404, 415];
      expect([status, known.includes(status)]).toEqual([status, true]);
      if (status >= 400)
        expect(json).toMatchObject({ error: { message: expect.any(String), type: expect.any(String) } });
      else if (headers.get("content-type")?.startsWith("application/json"))
        expect(
          [...Value.Errors(one.path.answer.schema, json)].map(({ path, message }) => `${path} ${message}`),
        ).toEqual([]);
    }),
    { numRuns: 600 },
  );
  expect(open.logs.filter(({ level }) => level === "error")).toEqual([]);
}, 60_000);

test("the invalid field is named", async () => {
  await using open = await openGateway({ yaml: FAKE_YAML });
  const wrong = async (path: string, init: RequestInit = {}) => {
    const { status, json } = await open.send(`/admin/v1${path}`, {
      headers: { "content-type": "application/json" },
      ...init,
    });
    return [status, Object(json).error.param];
  };
  expect(await wrong("/series?unit=week")).toEqual([400, "unit"]);
  expect(await wrong("/series?since=yesterday")).toEqual([400, "since"]);
  expect(await wrong("/series?since=24h&until=48h")).toEqual([400, "until"]);
  expect(await wrong("/series?unit=minute&since=30d")).toEqual([400, "since"]);
  expect(await wrong("/series?by=metadata")).toEqual([400, "metadata_key"]);
  expect(await wrong("/series?by=planet")).toEqual([400, "by[0]"]);
  expect(await wrong("/usage?unti=1h")).toEqual([400, "unti"]);
  expect(await wrong("/requests?limit=10&limit=20")).toEqual([400, "limit"]);
  expect(await wrong("/requests?cursor=x")).toEqual([400, "cursor"]);
  expect(await wrong("/requests?status=7xx")).toEqual([400, "status"]);
  expect(await wrong("/requests/none")).toEqual([404, "request"]);
  expect(await wrong("/workspaces/none")).toEqual([404, "workspace"]);
  expect(await wrong("/workspaces/default/invoices/2026-13")).toEqual([404, "workspace"]);
  const post = (path: string, body: unknown, method = "POST") =>
    wrong(path, { method, body: JSON.stringify(body) });
  expect(await post("/keys", { name: "x", workspace: "none" })).toEqual([400, "workspace"]);
  expect(await post("/keys", { name: "x", planet: 1 })).toEqual([400, "planet"]);
  expect(await post("/workspaces", { name: "a", settings: { cap_usd_per_day: -1 } })).toEqual([
    400,
    "settings.cap_usd_per_day",
  ]);
  expect(await post("/workspaces", { name: "a", credits: "1.0000001" })).toEqual([400, "credits"]);
});
