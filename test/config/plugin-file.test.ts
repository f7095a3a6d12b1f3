/**
 * External plugins: a valid file is used, a broken one is refused with its file, its line and the reason, and a changed one is loaded again.
 * A new way to be broken is a row of BROKEN.
 */
import { describe, expect, test } from "bun:test";
import { realOutside } from "../../src/network/real-outside";
import { createHost } from "../../src/upstream/host";
import { type Folder, makeFolder, told } from "./loading";

const RIGHT = `export default ({ t, provider }) =>
  provider({ id: "in-house", options: t.Object({ base_url: t.String() }), open: () => ({ embed: async () => ({}) }) });
`;

const ROUTING = `providers:
  local: { plugin: local }
  ours:
    base_url: http://10.0.0.5:8000
    plugin: ./plugins/in-house.ts
models:
  m: { routes: [ { provider: ours } ] }
`;

function withPlugin(source: string, routing = ROUTING): Folder {
  const folder = makeFolder();
  folder.write("gateway.yaml", routing);
  folder.write("plugins/in-house.ts", source);
  return folder;
}

test("a plugin file is used like a bundled plugin, and its options are checked with its own schema", async () => {
  using folder = withPlugin(RIGHT);
  const loaded = await folder.load();
  if (!loaded.ok) throw new Error(told(loaded));
  expect(loaded.config.providers.get("ours")?.provider.id).toBe("in-house");
  expect(loaded.config.providers.get("ours")?.options).toEqual({ base_url: "http://10.0.0.5:8000" });
  folder.write("gateway.yaml", ROUTING.replace("base_url", "base_ulr"));
  expect(told(await folder.load())).toContain(
    'providers.ours.base_ulr: unknown key; did you mean "base_url"?',
  );
});

test("a plugin file is called once for all providers that name it", async () => {
  using folder = withPlugin(`let calls = 0;
export default ({ t, provider }) => {
  calls++;
  return provider({ id: "calls-" + calls, options: t.Object({ base_url: t.Optional(t.String()) }), open: () => ({}) });
};`);
  folder.write(
    "gateway.yaml",
    ROUTING.replace("models:", "  again: { plugin: ./plugins/in-house.ts }\nmodels:"),
  );
  const loaded = await folder.load();
  if (!loaded.ok) throw new Error(told(loaded));
  expect(loaded.config.providers.get("again")?.provider.id).toBe("calls-1");
});

test("a path starts at the routing file's folder, and an absolute one is used as it is", async () => {
  using folder = withPlugin(RIGHT);
  folder.write("etc/gateway.yaml", ROUTING.replace("./plugins", "../plugins"));
  expect(told(await folder.load({ file: "etc/gateway.yaml" }))).toBe("ok");
  folder.write("gateway.yaml", ROUTING.replace("./plugins", `${folder.path}/plugins`));
  expect(told(await folder.load())).toBe("ok");
});

const object = 'export default ({ t }) => ({ id: "x", options: t.Object({}), open: () => ({}),';

/** The file's content, and the part of the message after `the plugin file `. */
const BROKEN: Readonly<Record<string, readonly [string, string]>> = {
  "does not parse": [
    "export default () => {\n  const x = ;\n};\n",
    "./plugins/in-house.ts:2:13: syntax error: Unexpected ;",
  ],
  "imports a file that is not there": [
    `import type { X } from "./types";\n  import { other } from "./nope.ts";\n${RIGHT}console.log(other);`,
    './plugins/in-house.ts:2:26: it imports a file or package that does not exist: "./nope.ts"',
  ],
  "imports a package that is not there": [
    `import { x } from "no-such-package-here";\n${RIGHT}console.log(x);`,
    './plugins/in-house.ts:1:20: it imports a file or package that does not exist: "no-such-package-here"',
  ],
  "imports a name that its sibling lacks": [
    `import { lacking } from "./sibling.ts";\n${RIGHT}console.log(lacking);`,
    "./plugins/in-house.ts:1:10: Export named 'lacking' not found in module './sibling.ts'.",
  ],
  "throws while it loads": [
    "const one = 1;\n\nthrow new RangeError(`no ${one}`);\n",
    "./plugins/in-house.ts:3:11: it throws RangeError: no 1",
  ],
  "throws what is no error": [
    'throw "a text";',
    "./plugins/in-house.ts: it throws a string instead of an Error",
  ],
  "throws when it is called": [
    "export default () => {\n  null.x;\n};\n",
    "./plugins/in-house.ts:2:3: called with the host, it throws TypeError: null is not an object (evaluating 'null.x')",
  ],
  "throws in a file beside it": [
    'import "./thrower.ts";\nexport default 1;',
    "./plugins/thrower.ts:2:11: it throws Error: from beside",
  ],
  "has a sibling that does not parse": [
    'import "./unparsed.ts";\nexport default 1;',
    './plugins/unparsed.ts:2:9: syntax error: Expected ";" but found "]"',
  ],
  "has no default export": [
    "export const plugin = 1;\n",
    "./plugins/in-house.ts:1:1: it has no default export; write",
  ],
  "exports no function": [
    "// A plugin.\nexport default { id: 1 };\n",
    "./plugins/in-house.ts:2:1: its default export is an object; expected a function that takes the host and returns a provider",
  ],
  "is empty": ["", "./plugins/in-house.ts:1:1: it has no default export"],
  "returns nothing": [
    "export default () => undefined;",
    "./plugins/in-house.ts:1:1: its provider is not valid: expected an object with id, options and open",
  ],
  "returns a promise": [
    "export default async () => ({});",
    "it is a promise; a plugin is a plain function, not an async one",
  ],
  "lacks id, options and open": [
    "export default () => ({});",
    "its provider is not valid: `id` is missing; expected a word; `options` is missing; expected host.t.Object({…}); `open` is missing or not a function",
  ],
  "has an id of another shape": [
    `${object} id: "In House" });`,
    '`id` is "In House"; expected lower case letters, digits and dashes',
  ],
  "has options that are no schema": [
    `${object} options: { type: "object" } });`,
    "`options` is not an object schema",
  ],
  "has options that are no object schema": [
    `${object} options: t.String() });`,
    "`options` is not an object schema",
  ],
  "has options whose inner schema is written by hand": [
    `${object} options: t.Object({ a: { type: "string" } }) });`,
    "`options` is not an object schema",
  ],
  "has no function to open": [`${object} open: "yes" });`, "`open` is missing or not a function"],
  "declares fields that are no schemas": [
    `${object} fields: { a: 1 } });`,
    "`fields.a` is not a schema; expected one made with host.t",
  ],
  "declares a concurrency of nought": [
    `${object} concurrency: 0 });`,
    "`concurrency` is not an integer of 1 or more",
  ],
  "says by a word whether calls are shared": [
    `${object} coalesce: "yes" });`,
    "`coalesce` is not true or false",
  ],
};

describe("a plugin file is refused at its line of the routing file, with its own line, when it", () => {
  for (const [what, [source, reason]] of Object.entries(BROKEN)) {
    test(what, async () => {
      using folder = withPlugin(source);
      folder.write("plugins/sibling.ts", "export const other = 1;\n");
      folder.write("plugins/thrower.ts", "// Throws.\nthrow new Error('from beside');\n");
      folder.write("plugins/unparsed.ts", "// Broken.\nx = [1 ]]\n");
      const message = told(await folder.load());
      expect(message).toStartWith("gateway.yaml:5:13: providers.ours.plugin: the plugin file ");
      expect(message).toContain(reason);
      expect(message).not.toContain(folder.path);
      expect(message.split("\n")).toHaveLength(1);
    });
  }

  test("is not there, or is a folder", async () => {
    using folder = withPlugin(RIGHT);
    folder.write("gateway.yaml", ROUTING.replace("in-house.ts", "in-haus.ts"));
    expect(told(await folder.load())).toEndWith(
      "the plugin file ./plugins/in-haus.ts: there is no such file",
    );
    folder.write("gateway.yaml", ROUTING.replace("in-house.ts", ""));
    expect(told(await folder.load())).toEndWith("the plugin file ./plugins/: it is a folder");
  });

  test("waits for ever at its top level", async () => {
    using folder = withPlugin(
      "export const later = async () => {\n  await 1;\n};\nawait new Promise(() => {});\nexport default 1;\n",
    );
    // Its time limit is over at once; the file would wait for ever.
    const host = { ...createHost(realOutside), sleep: async () => {} };
    expect(told(await folder.load({ host }))).toEndWith(
      "./plugins/in-house.ts:4:1: it was still loading after 10 s; a plugin must not wait at its top level: wait in embed",
    );
  });
});

describe("a plugin file that was loaded before is loaded again", () => {
  const withId = (id: string) => RIGHT.replace("in-house", id);
  const idOf = async (folder: Folder) => {
    const loaded = await folder.load();
    return loaded.ok ? loaded.config.providers.get("ours")?.provider.id : told(loaded);
  };

  test("if it was valid", async () => {
    using folder = withPlugin(withId("one"));
    expect(await idOf(folder)).toBe("one");
    folder.write("plugins/in-house.ts", withId("two"));
    expect(await idOf(folder)).toBe("two");
  });

  for (const [what, [source]] of Object.entries(BROKEN)) {
    test(`if it ${what}, and works once it is fixed`, async () => {
      using folder = withPlugin(source);
      folder.write("plugins/sibling.ts", "export const other = 1;\n");
      folder.write("plugins/thrower.ts", "throw new Error('from beside');\n");
      folder.write("plugins/unparsed.ts", "x = [1 ]]\n");
      expect(await idOf(folder)).toContain("the plugin file");
      folder.write("plugins/in-house.ts", withId("mended"));
      expect(await idOf(folder)).toBe("mended");
    });
  }

  test("if it waited for ever", async () => {
    using folder = withPlugin("await new Promise(() => {});");
    const host = { ...createHost(realOutside), sleep: async () => {} };
    expect(told(await folder.load({ host }))).toContain("still loading");
    folder.write("plugins/in-house.ts", withId("mended"));
    expect(await idOf(folder)).toBe("mended");
  });

  test("with the files that it imports, even after one of them lacked an export", async () => {
    using folder = withPlugin(`import { id } from "./id.ts";\n${RIGHT.replace('"in-house"', "id")}`);
    folder.write("plugins/id.ts", 'export const id = "one";');
    expect(await idOf(folder)).toBe("one");
    folder.write("plugins/id.ts", 'export const id = "two";');
    expect(await idOf(folder)).toBe("two");
    folder.write("plugins/id.ts", "export const ident = 3;");
    expect(await idOf(folder)).toContain("Export named 'id' not found");
    folder.write("plugins/id.ts", "export const ident = 4;");
    expect(await idOf(folder)).toContain("Export named 'id' not found");
    folder.write("plugins/id.ts", 'export const id = "five";');
    expect(await idOf(folder)).toBe("five");
  });
});
