/**
 * Keys leave the process in headers only, and come back to nobody, even from a vendor that repeats them in its errors.
 * A new way in which a vendor has been seen to repeat a key is a row of ECHOES.
 */
import { expect, test } from "bun:test";
import type { Answer, SentRequest } from "./network";
import { callFor, failureOf, openSubject, type Subject, type Vendor } from "./subject";

export function keepsSecrets(subject: Subject, vendor: Vendor): void {
  const secrets = subject.secrets ?? [];

  test("a secret is in no address and in no body", async () => {
    const { upstream, network } = openSubject(subject);
    await upstream.embed(callFor(subject, ["a text"]));
    const [request] = network.requests;
    for (const secret of secrets) expect(`${request?.url} ${request?.body}`).not.toContain(secret);
    expect(request?.url).not.toMatch(/[?&](key|token|secret|api_key)=/i);
    expect(new URL(request?.url ?? "").username).toBe("");
  });

  /** All that the vendor was sent in headers, in places where a snippet's end may cut it in two. */
  const echo = ({ headers }: SentRequest, before = 0) =>
    `${"x".repeat(before)} you sent ${JSON.stringify(Object.fromEntries(headers))}, also ${[...headers.values()].join(" ; ")}`;
  const page = (text: string, status: number) => new Response(`<html>${text}</html>`, { status });
  const ECHOES: readonly (readonly [string, Answer])[] = [
    ["its own envelope with 401", (sent) => new Response(vendor.errorBody(echo(sent)), { status: 401 })],
    ["its own envelope with 429", (sent) => new Response(vendor.errorBody(echo(sent)), { status: 429 })],
    ["a page with 403", (sent) => page(echo(sent), 403)],
    ["a page with 502", (sent) => page(echo(sent), 502)],
    ["a page with 200", (sent) => page(echo(sent), 200)],
    [
      "a reply of a wrong type",
      (sent) => new Response(JSON.stringify(sent.headers.get("authorization") ?? echo(sent))),
    ],
    ["half a reply with 200", (sent) => new Response(`{"data": "${echo(sent)}`)],
  ];
  test.each(ECHOES)("a vendor that repeats the headers in %s is not passed on", async (_, answer) => {
    const { upstream, network } = openSubject(subject);
    network.answer(answer);
    const { message } = await failureOf(upstream.embed(callFor(subject, ["a text"])));
    for (const secret of secrets) expect(message).not.toContain(secret);
  });

  test("a secret is not told in part either, wherever a long error body is cut", async () => {
    const { upstream, network } = openSubject(subject);
    for (let before = 0; before < 320; before += 5) {
      for (const status of [200, 500]) {
        network.answer((sent) => page(echo(sent, before), status));
        const { message } = await failureOf(upstream.embed(callFor(subject, ["a text"])));
        for (const secret of secrets) expect(message).not.toContain(secret.slice(0, 8));
      }
    }
  });
}
