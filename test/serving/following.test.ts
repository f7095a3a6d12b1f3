/**
 * A changed routing file is loaded, however it was changed, and nothing else triggers a reload.
 * Real files; the clock is the test's where it matters.
 */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { mkdir, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileStateNow } from "../../src/machine/file-state";
import { follow } from "../../src/serving/following";
import { postTo, startServing, startUpstream, temporaryFolder, wireTo } from "../serving";
import { routingFileIn } from "../stores/on-postgres";

/** A ConfigMap as Kubernetes mounts it: the file is a link through `..data`, and a link to a new folder replaces that. */
async function mount(text: string) {
  const path = await mkdtemp(join(tmpdir(), "embedgate-mount-"));
  let version = 0;
  const put = async (next: string) => {
    version += 1;
    await mkdir(join(path, `..${version}`));
    await Bun.write(join(path, `..${version}/gateway.yaml`), next);
    symlinkSync(`..${version}`, join(path, "..data_tmp"));
    renameSync(join(path, "..data_tmp"), join(path, "..data"));
  };
  await put(text);
  symlinkSync("..data/gateway.yaml", join(path, "gateway.yaml"));
  return {
    path,
    put,
    removeOld: () => rmSync(join(path, `..${version - 1}`), { recursive: true }),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}

const WAYS = [
  "is written",
  "is replaced",
  "is swapped",
  "is swapped and removed",
  "is linked from elsewhere",
] as const;

describe.each([1, 2])("%d processes", (processes) => {
  test.skipIf(processes > 1 && process.platform !== "linux").each(WAYS)(
    "a routing file that %s is reloaded",
    async (way) => {
      using upstream = startUpstream();
      using folder = temporaryFolder();
      const text = routingFileIn(folder.path, wireTo(upstream, `processes: ${processes}`));
      const next = text.replace("models: {", "models: { added: { alias_of: m },");
      const isMounted = way.startsWith("is swapped") || way.startsWith("is linked");
      using mounted = await mount(text);
      if (!isMounted) folder.write("gateway.yaml", text);
      const file = join(folder.path, "gateway.yaml");
      // Kubernetes mounts the folder itself; a container's own link may lead there too.
      if (way === "is linked from elsewhere") symlinkSync(join(mounted.path, "gateway.yaml"), file);
      const home = isMounted && way !== "is linked from elsewhere" ? mounted.path : folder.path;
      await using child = await startServing(home);
      expect((await postTo(child.url, { model: "added", input: "a" })).status).toBe(404);
      if (isMounted) await mounted.put(next);
      else if (way === "is written") writeFileSync(file, next);
      else {
        writeFileSync(`${file}.new`, next);
        renameSync(`${file}.new`, file);
      }
      if (way === "is swapped and removed") mounted.removeOld();
      await child.logged("config reloaded");
      expect((await postTo(child.url, { model: "added", input: "a" })).status).toBe(200);
    },
  );
});

test("an invalid one is reported, the previous one stays in use, and the next valid one is loaded", async () => {
  using upstream = startUpstream();
  const text = wireTo(upstream);
  using mounted = await mount(text);
  await using child = await startServing(mounted.path);
  await mounted.put(`${text}wrong: 1\n`);
  await child.logged('keeping the previous configuration","problems":["gateway.yaml:');
  expect((await postTo(child.url, { model: "m", input: "a" })).status).toBe(200);
  await mounted.put(text.replace("models: {", "models: { added: { alias_of: m },"));
  await child.logged("config reloaded");
  expect((await postTo(child.url, { model: "added", input: "a" })).status).toBe(200);
  await mounted.put(
    text.replace("providers: {", 'providers: { unset: { plugin: openai, api_key: "${NO_SUCH}" },'),
  );
  await child.logged('"notes":["gateway.yaml:');
});

test("other files in the folder trigger nothing", async () => {
  using folder = temporaryFolder({ "gateway.yaml": "a" });
  const file = join(folder.path, "gateway.yaml");
  const alarms: number[] = [];
  const heard = Promise.withResolvers<void>();
  const following = follow(
    () => new Map([[file, fileStateNow(file)]]),
    () => undefined,
    {
      alarm(ms) {
        alarms.push(ms);
        if (ms < 1_000) heard.resolve();
        return () => undefined;
      },
    },
  );
  await following.look();
  expect(alarms).toEqual([2_000]);
  const database = join(folder.path, "embedgate.db-wal");
  for (let i = 0; i < 100; i++) writeFileSync(database, `${i}`);
  // Nor does the system watch the folder for it.
  const watched = readdirSync("/proc/self/fdinfo").map((name) => {
    try {
      return readFileSync(`/proc/self/fdinfo/${name}`, "utf8");
    } catch {
      return "";
    }
  });
  expect(watched.join()).not.toContain(` ino:${statSync(folder.path).ino.toString(16)} `);
  writeFileSync(file, "b");
  await heard.promise;
  expect(new Set(alarms.slice(1))).toEqual(new Set([100]));
  following.stop();
});

test("a change between the first read and the start of watching is not missed", async () => {
  using folder = temporaryFolder({ "gateway.yaml": "a" });
  const file = join(folder.path, "gateway.yaml");
  const asRead = fileStateNow(file);
  writeFileSync(`${file}.new`, "b");
  renameSync(`${file}.new`, file);
  const told: (readonly string[])[] = [];
  const following = follow(
    () => new Map([[file, asRead]]),
    (files) => told.push(files),
    { alarm: () => () => undefined },
  );
  await following.look();
  await following.look();
  expect(told).toEqual([[file]]);
  following.stop();
});
