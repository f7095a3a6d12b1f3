/** The code snippets of the playground run as they are: texts of any kind are quoted correctly for shell, Python and TypeScript. */
import { expect, test } from "bun:test";
import { SNIPPETS } from "../../../src/dashboard/page/snippets";

const TEXTS = ["it's", 'a "word"', "back\\slash", "über $HOME `x`", "tab\there"];
const ASKED = { origin: "http://127.0.0.1:8080", model: "m", texts: TEXTS, needsKey: true };
const written = (name: string) => SNIPPETS.find(([own]) => own === name)?.[1](ASKED) ?? "";

test("curl sends the texts", () => {
  const script = written("curl").replace(/^curl/, 'f() { printf %s "${@: -1}"; }; f');
  const { stdout } = Bun.spawnSync(["bash", "-c", script], { env: { EMBEDGATE_KEY: "k" } });
  expect(JSON.parse(stdout.toString())).toEqual({ model: "m", input: TEXTS });
});

test("TypeScript has the texts", () => {
  const [, list = ""] = /input: (\[[\s\S]*?\n {2}\])/.exec(written("TypeScript")) ?? [];
  expect(new Function(`return ${list}`)()).toEqual(TEXTS);
});

test("Python has the key from the environment, where one is needed", () => {
  expect(written("Python")).toContain('api_key=os.environ["EMBEDGATE_KEY"]');
  const open = SNIPPETS.map(([, write]) => write({ ...ASKED, needsKey: false })).join("\n");
  expect(open).not.toContain("EMBEDGATE_KEY");
  expect(open).not.toContain("import os");
});
