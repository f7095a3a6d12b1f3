/**
 * The log of a running gateway reports keys that are created and revoked, and requests with a key that no longer works.
 */
import { expect, test } from "bun:test";
import { FAKE_YAML, openGateway } from "../gateway";

test("changes of keys are in the log, once, and never a secret", async () => {
  let now = 0;
  await using open = await openGateway({ yaml: FAKE_YAML, outside: { monotonic: () => now } });
  const { keys } = open.gateway;
  const ask = (key?: string) => {
    now += 2_000;
    return open.post(
      { model: "fake", input: "a" },
      key === undefined ? {} : { authorization: `Bearer ${key}` },
    );
  };
  const told = () =>
    open.logs
      .filter(({ message }) => message !== "request failed")
      .map(({ message, about }) => [message, about]);
  await ask();
  expect(told()).toEqual([]);
  const { id, key } = await keys.create("ci", "team");
  await ask(key);
  const about = { key: id, name: "ci", workspace: "team", admin: false };
  expect(told()).toEqual([
    ["API keys are required from now on", undefined],
    ["a key was created", about],
  ]);
  const { key: next } = await keys.rotate(id, 0);
  await ask(next);
  await keys.revoke(id);
  await ask(next);
  await ask(next);
  expect(told().slice(2)).toEqual([
    ["a key was rotated", about],
    ["a key was revoked", about],
  ]);
  for (const secret of [key, next]) expect(JSON.stringify(open.logs)).not.toContain(secret);
});

test("a revoked or rotated key is named in the log, not in the answer", async () => {
  await using open = await openGateway({ yaml: FAKE_YAML });
  const { keys } = open.gateway;
  const { id, key } = await keys.create("ci", "team");
  const { key: next } = await keys.rotate(id, 0);
  const ask = (secret: string) =>
    open.post({ model: "fake", input: "a" }, { authorization: `Bearer ${secret}` });
  await keys.revoke((await keys.create("gone", "other")).id);
  const answers = [await ask(key)];
  await keys.revoke(id);
  answers.push(await ask(next), await ask("eg-unknown"));
  for (const { status, text } of answers) {
    expect(status).toBe(401);
    expect(text).not.toContain(id);
  }
  const reasons = open.logs
    .filter(({ message }) => message === "request failed")
    .map(({ about }) => Object(about).reason);
  expect(reasons).toEqual([
    expect.stringContaining(`The key ${id} of the workspace "team" was rotated out on `),
    expect.stringContaining(`The key ${id} of the workspace "team" was revoked on `),
    "Incorrect API key provided: it is unknown, revoked, or was rotated out.",
  ]);
});
