/**
 * The ids of a request: the gateway's own always, and the caller's too if a header can contain it.
 */
import { expect, test } from "bun:test";
import { FAKE_YAML, openGateway } from "../gateway";

const body = { model: "fake", input: "hello" };

test.each([
  ["3b6f0c1e-trace:7", "3b6f0c1e-trace:7"],
  ["x".repeat(200), "x".repeat(200)],
  ["x".repeat(201), null],
  ["two words", null],
  [undefined, null],
])("the caller's id %p comes back as %p, beside the gateway's own", async (theirs, back) => {
  await using open = await openGateway({ yaml: FAKE_YAML });
  const headers: Record<string, string> = theirs === undefined ? {} : { "x-request-id": theirs };
  const sent = await open.post(body, headers);
  expect(sent.status).toBe(200);
  expect(sent.headers.get("x-client-request-id")).toBe(back);
  expect(sent.headers.get("x-request-id")).toMatch(/^req_/);
});

test("the log line of a failed request has the caller's id too", async () => {
  await using open = await openGateway({ yaml: FAKE_YAML });
  await open.post({ model: "fake", input: 7 }, { "x-request-id": "trace-7" });
  const [line] = open.logs.filter(({ message }) => message === "request failed");
  expect(line?.about).toMatchObject({ client_request: "trace-7" });
});
