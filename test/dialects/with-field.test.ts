/**
 * An error names its field, also on wires whose error body has only a message. For another wire add a row.
 */
import { expect, test } from "bun:test";
import { messageWithField } from "../../src/dialects/with-field";
import { GatewayError } from "../../src/domain/errors";
import { FAKE_YAML, openGateway } from "../gateway";
import { post } from "./wires/asking";

test("the field is put before a message that has it not", () => {
  const told = (field?: string) =>
    messageWithField(new GatewayError("invalid", "'a' is too long.", { field }));
  expect(told("b[2]")).toBe("'b[2]': 'a' is too long.");
  expect(told("a")).toBe("'a' is too long.");
  expect(told()).toBe("'a' is too long.");
});

const VOYAGE = { "user-agent": "python-requests/2.32.5" };

test.each([
  ["/v2/embed", { model: "fake", texts: ["one"], output_dimension: 5000 }, "message", "output_dimension"],
  ["/v1/embed", { model: "fake", texts: ["one"], output_dimension: 5000 }, "message", "output_dimension"],
  ["/model/fake/invoke", { texts: ["one"], output_dimension: 5000 }, "message", "output_dimension"],
  ["/model/fake/invoke", { inputText: "one", dimensions: 5000 }, "message", "dimensions"],
  ["/api/embed", { model: "fake", input: "one", dimensions: 5000 }, "error", "dimensions"],
  ["/tei/fake/embed", { inputs: "one", dimensions: 5000 }, "error", "dimensions"],
  ["/api/v0/embeddings", { model: "fake", input: "one", dimensions: 5000 }, "error", "dimensions"],
  ["/v1/embeddings", { model: "fake", input: "one", output_dimension: 5000 }, "detail", "output_dimension"],
])("%s names the field of %j in its %s", async (path, body, place, field) => {
  await using open = await openGateway({ yaml: FAKE_YAML });
  const { status, json } = await open.send(path, post(body, VOYAGE));
  expect(status).toBeGreaterThanOrEqual(400);
  expect(status).toBeLessThan(500);
  expect(json).toMatchObject({ [place]: expect.stringContaining(field) });
});
