/**
 * HTTP/2 without TLS with prior knowledge, together with HTTP/1.1 on the same port: by Amazon's SDK, and by hand.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { type ClientHttp2Session, connect } from "node:http2";
import { BedrockRuntimeClient, InvokeModelCommand } from "@aws-sdk/client-bedrock-runtime";
import { exactVector } from "../../plugins/fake";
import { makeAuthority } from "../certificates";
import { printed } from "../printing/printed";
import { type Child, postTo, startServing, temporaryFolder } from "../serving";

const YAML = `
providers: { fake: { plugin: fake } }
models:
  fake: { routes: [ { provider: fake } ] }
  "amazon.titan-embed-text-v2:0": { routes: [ { provider: fake, model: fake-8 } ] }
`;

const scratch = temporaryFolder({ "gateway.yaml": YAML });
let gateway: Child;
beforeAll(async () => {
  gateway = await startServing(scratch.path);
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  scratch[Symbol.dispose]();
});

test("Amazon's SDK works with its default handler and without a content type", async () => {
  const client = new BedrockRuntimeClient({
    region: "us-east-1",
    endpoint: gateway.url,
    token: { token: "any" },
    authSchemePreference: ["httpBearerAuth"],
  });
  const modelId = "amazon.titan-embed-text-v2:0";
  const invoke = (body: object) =>
    client.send(new InvokeModelCommand({ modelId, body: JSON.stringify(body) }));
  try {
    const { body, $metadata } = await invoke({ inputText: "one two" });
    expect(JSON.parse(new TextDecoder().decode(body))).toMatchObject({
      embedding: printed(exactVector("one two", 8)),
      inputTextTokenCount: 2,
    });
    expect($metadata).toMatchObject({ httpStatusCode: 200, requestId: expect.stringMatching(/^req_/) });
    await expect(invoke({ inputText: "" })).rejects.toMatchObject({ name: "ValidationException" });
  } finally {
    client.destroy();
  }
});

interface Answered {
  readonly status: number;
  readonly text: string;
}

function ask(session: ClientHttp2Session, body: object): Promise<Answered> {
  const headers = { ":method": "POST", ":path": "/v1/embeddings", "content-type": "application/json" };
  const stream = session.request(headers);
  const { promise, resolve, reject } = Promise.withResolvers<Answered>();
  let status = 0;
  let text = "";
  stream.setEncoding("utf8");
  stream.on("response", (head) => {
    status = Number(head[":status"]);
  });
  stream.on("data", (part) => {
    text += part;
  });
  stream.on("end", () => resolve({ status, text }));
  stream.on("error", reject);
  stream.end(JSON.stringify(body));
  return promise;
}

test("requests on one connection each get their own vectors, large ones too, beside HTTP/1.1", async () => {
  const session = connect(gateway.url);
  try {
    const many = Array.from({ length: 300 }, (_, i) => `text ${i}`);
    const asked = [["one"], many, ["two"]].map(async (input) => {
      const { status, text } = await ask(session, { model: "fake", input, dimensions: 300 });
      expect(status).toBe(200);
      const { data }: { data: { embedding: number[] }[] } = JSON.parse(text);
      expect(data.map(({ embedding }) => embedding)).toEqual(
        input.map((one) => printed(exactVector(one, 300))),
      );
    });
    const plain = await postTo(gateway.url, { model: "fake", input: "one" });
    expect(plain.status).toBe(200);
    await Promise.all(asked);
    const wrong = await ask(session, { model: "none", input: "one" });
    expect([wrong.status, wrong.text]).toEqual([404, expect.stringContaining("model_not_found")]);
  } finally {
    session.destroy();
  }
});

test("with TLS it is negotiated by ALPN, with HTTP/1.1 for clients that know nothing else", async () => {
  using authority = makeAuthority();
  const { ca } = authority;
  const { cert, key } = authority.sign("gateway");
  using own = temporaryFolder({
    "gateway.yaml": `${YAML}server: { host: localhost, tls: { cert: ./server.pem, key: ./server.key } }\n`,
    "server.pem": cert,
    "server.key": key,
  });
  await using secure = await startServing(own.path);
  const session = connect(secure.url, { ca });
  try {
    expect((await ask(session, { model: "fake", input: "one" })).status).toBe(200);
    expect(session.alpnProtocol).toBe("h2");
  } finally {
    session.destroy();
  }
  expect((await fetch(`${secure.url}/healthz`, { tls: { ca } })).status).toBe(200);
});

test("a graceful shutdown ends an HTTP/2 connection", async () => {
  using own = temporaryFolder({ "gateway.yaml": `${YAML}server: { drain_ms: 0 }\n` });
  await using leaving = await startServing(own.path);
  const session = connect(leaving.url);
  const closed = new Promise<void>((resolve) => session.on("close", () => resolve()));
  expect((await ask(session, { model: "fake", input: "one" })).status).toBe(200);
  leaving.signal("SIGTERM");
  await closed;
  expect(await leaving.ended()).toBe(0);
});
