/**
 * What `bun run release` makes of an executable: a Debian package that dpkg accepts, an image by OCI's specification, an SBOM by CycloneDX'
 * schema, checksums; all reproducible byte by byte. Whether the package starts a service can be seen only on a machine with systemd.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import Ajv from "ajv";
import addFormats from "ajv-formats";
import { build } from "../.ci/build";
import { sumsOf } from "../.ci/release";
import { deb } from "../.ci/release/deb";
import { needsOf } from "../.ci/release/elf";
import { oci } from "../.ci/release/oci";
import { sbom } from "../.ci/release/sbom";
import packageJson from "../package.json";
import { allLicenses } from "../src/commands/licenses";

const AT = new Date(Date.UTC(2027, 0, 15, 12));
const LIBRARIES = "/lib/x86_64-linux-gnu";
const isDebian = process.platform === "linux" && process.arch === "x64" && existsSync(LIBRARIES);
const scratch = mkdtempSync(join(tmpdir(), "embedgate-release-"));
let executable: Buffer;

beforeAll(async () => {
  executable = readFileSync(await build(join(scratch, "embedgate")));
}, 120_000);
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function run(...words: readonly string[]): string {
  const { stdout, stderr, exitCode } = Bun.spawnSync([...words]);
  expect([words.join(" "), exitCode, exitCode === 0 ? "" : stderr.toString()]).toEqual([
    words.join(" "),
    0,
    "",
  ]);
  return stdout.toString();
}

test("the executable carries the texts of all licences", () => {
  const out = run(join(scratch, "embedgate"), "licenses");
  for (const words of ["Apache License", "LESSER GENERAL PUBLIC LICENSE", "@sinclair/typebox"])
    expect(out).toContain(words);
});

/** Its bytes do not matter to the package. */
const small = (version: string, content = "#!/bin/sh\necho old\n") =>
  deb({ executable: Buffer.from(content), architecture: "amd64", version, at: AT });

describe.skipIf(Bun.which("dpkg-deb") === null)("the Debian package", () => {
  test("is the same bytes each time, and dpkg reads it", async () => {
    const path = join(scratch, "a.deb");
    const bytes = await small("1.0.0");
    writeFileSync(path, bytes);
    expect(bytes.equals(await small("1.0.0"))).toBe(true);
    expect(run("dpkg-deb", "--field", path, "Package", "Version", "Architecture")).toBe(
      "Package: embedgate\nVersion: 1.0.0\nArchitecture: amd64\n",
    );
    const contents = run("dpkg-deb", "--contents", path);
    expect(contents).toMatch(/-rwxr-xr-x root\/root .* \.\/usr\/bin\/embedgate\n/);
    expect(contents).toMatch(/-rw-r----- root\/root .* \.\/etc\/embedgate\/gateway\.yaml\n/);
    for (const name of ["postinst", "prerm", "postrm"]) {
      run("dpkg-deb", "--control", path, join(scratch, "control"));
      run("sh", "-n", join(scratch, "control", name));
    }
    expect(readFileSync(join(scratch, "control/conffiles"), "utf8")).toBe("/etc/embedgate/gateway.yaml\n");
  });

  test.skipIf(process.getuid?.() !== 0)(
    "is installed, upgraded with the configuration kept, removed and purged, in a root of its own",
    async () => {
      const root = join(scratch, "root");
      mkdirSync(join(root, "var/lib/dpkg/info"), { recursive: true });
      mkdirSync(join(root, "var/lib/dpkg/updates"));
      for (const name of ["status", "available"]) writeFileSync(join(root, "var/lib/dpkg", name), "");
      const dpkg = (...words: readonly string[]) =>
        run(
          "dpkg",
          `--root=${root}`,
          "--force-depends",
          "--force-script-chrootless",
          "--log=/dev/null",
          ...words,
        );
      const [old, next] = [join(scratch, "old.deb"), join(scratch, "next.deb")];
      writeFileSync(old, await small("1.0.0"));
      writeFileSync(next, await small("1.0.1", "#!/bin/sh\necho new\n"));
      dpkg("--install", old);
      const file = join(root, "etc/embedgate/gateway.yaml");
      writeFileSync(file, `${readFileSync(file, "utf8")}# ours\n`);
      dpkg("--install", next);
      expect(run(join(root, "usr/bin/embedgate"))).toBe("new\n");
      expect(readFileSync(file, "utf8")).toEndWith("# ours\n");
      expect(statSync(file).mode & 0o777).toBe(0o640);
      expect(dpkg("--verify", "embedgate")).not.toContain("usr/bin");
      dpkg("--remove", "embedgate");
      expect([existsSync(join(root, "usr/bin/embedgate")), existsSync(file)]).toEqual([false, true]);
      dpkg("--purge", "embedgate");
      expect(existsSync(file)).toBe(false);
    },
  );
});

const Descriptor = {
  mediaType: Type.String(),
  digest: Type.String({ pattern: "^sha256:[0-9a-f]{64}$" }),
  size: Type.Integer({ minimum: 1 }),
  annotations: Type.Optional(Type.Record(Type.String(), Type.String())),
};
const closed = { additionalProperties: false };
const Platform = Type.Object({ architecture: Type.String(), os: Type.Literal("linux") }, closed);
const Index = Type.Object(
  {
    schemaVersion: Type.Literal(2),
    mediaType: Type.Literal("application/vnd.oci.image.index.v1+json"),
    manifests: Type.Array(Type.Object({ ...Descriptor, platform: Type.Optional(Platform) }, closed), {
      minItems: 1,
    }),
    annotations: Descriptor.annotations,
  },
  closed,
);
const Manifest = Type.Object(
  {
    schemaVersion: Type.Literal(2),
    mediaType: Type.Literal("application/vnd.oci.image.manifest.v1+json"),
    config: Type.Object(Descriptor, closed),
    layers: Type.Array(Type.Object(Descriptor, closed), { minItems: 1 }),
  },
  closed,
);
const Config = Type.Object({
  created: Type.String(),
  architecture: Type.String(),
  os: Type.Literal("linux"),
  config: Type.Object({
    User: Type.String(),
    Env: Type.Array(Type.String()),
    Entrypoint: Type.Array(Type.String()),
    Cmd: Type.Array(Type.String()),
    Volumes: Type.Record(Type.String(), Type.Object({}, closed)),
    WorkingDir: Type.String(),
  }),
  rootfs: Type.Object({ type: Type.Literal("layers"), diff_ids: Type.Array(Descriptor.digest) }),
});

describe.skipIf(!isDebian)("the image", () => {
  test("is a layout by OCI's specification: every descriptor's blob is there, with its size and digest", async () => {
    const folder = join(scratch, "image");
    const platforms = [{ architecture: "amd64" as const, executable, libraries: LIBRARIES }];
    await oci(folder, platforms, { version: "1.0.0", at: AT });
    expect(JSON.parse(readFileSync(join(folder, "oci-layout"), "utf8"))).toEqual({
      imageLayoutVersion: "1.0.0",
    });
    const blob = ({ digest, size }: { digest: string; size: number }) => {
      const bytes = readFileSync(join(folder, "blobs", digest.replace(":", "/")));
      expect([bytes.length, `sha256:${new Bun.CryptoHasher("sha256").update(bytes).digest("hex")}`]).toEqual([
        size,
        digest,
      ]);
      return bytes;
    };
    const parsed = <Schema extends TSchema>(schema: Schema, bytes: Buffer): Static<Schema> => {
      const value: unknown = JSON.parse(bytes.toString());
      expect([...Value.Errors(schema, value)].map(({ path, message }) => `${path}: ${message}`)).toEqual([]);
      return Value.Parse(schema, value);
    };
    const [named] = parsed(Index, readFileSync(join(folder, "index.json"))).manifests;
    expect(named?.annotations).toEqual({ "org.opencontainers.image.ref.name": "1.0.0" });
    const { manifests } = parsed(Index, blob(named ?? { digest: "", size: 0 }));
    expect(manifests.map(({ platform }) => platform)).toEqual([{ architecture: "amd64", os: "linux" }]);
    const manifest = parsed(Manifest, blob(manifests[0] ?? { digest: "", size: 0 }));
    const config = parsed(Config, blob(manifest.config));
    const layer = gunzipSync(blob(manifest.layers[0] ?? { digest: "", size: 0 }));
    expect(config.rootfs.diff_ids).toEqual([
      `sha256:${new Bun.CryptoHasher("sha256").update(layer).digest("hex")}`,
    ]);
    expect(config.config).toMatchObject({
      User: "10001:10001",
      WorkingDir: "/data",
      Volumes: { "/data": {} },
    });
    expect(readdirSync(join(folder, "blobs/sha256"))).toHaveLength(4);
    writeFileSync(join(scratch, "layer.tar"), layer);
  });

  test.skipIf(process.getuid?.() !== 0)("has all that the executable needs, and nothing that is not", () => {
    const root = join(scratch, "unpacked");
    mkdirSync(root);
    run("tar", "-xf", join(scratch, "layer.tar"), "-C", root);
    // As a container runtime starts it, with a read-only root.
    const start = [
      `mount --bind ${root} ${root}`,
      `mount --bind -o remount,ro ${root}`,
      `mount -t proc proc ${root}/proc`,
      `mount --rbind /dev ${root}/dev`,
      `exec chroot --userspec=10001:10001 ${root} /usr/local/bin/embedgate --version`,
    ].join(" && ");
    expect(run("unshare", "--mount", "--pid", "--fork", "sh", "-c", start)).toBe(`${packageJson.version}\n`);
    const all = ["data", "dev", "etc", "lib", "lib64", "proc", "sys", "tmp", "usr"];
    expect(readdirSync(root).sort()).toEqual(all);
    const { uid, mode } = lstatSync(join(root, "data"));
    expect([uid, mode & 0o7777]).toEqual([10001, 0o700]);
  });

  test("is the same bytes each time", async () => {
    const sums = await Promise.all(
      ["first", "second"].map(async (name) => {
        const platform = {
          architecture: "amd64" as const,
          executable: readFileSync("/bin/true"),
          libraries: LIBRARIES,
        };
        await oci(join(scratch, name), [platform], { version: "1.0.0", at: AT });
        return sumsOf(join(scratch, name));
      }),
    );
    expect(sums[0]).toBe(sums[1] ?? "");
  });

  test("the system requirements of an executable are read from it, and a file that is none is refused", () => {
    expect(needsOf(executable)).toMatchObject({
      loader: "/lib64/ld-linux-x86-64.so.2",
      libraries: expect.arrayContaining(["libc.so.6"]),
    });
    expect(() => needsOf(Buffer.from("#!/bin/sh, and more than a header".repeat(9)))).toThrow(
      "not an ELF-64 file",
    );
  });
});

describe("the SBOM", () => {
  const schema = (name: string) =>
    JSON.parse(
      readFileSync(
        join(
          import.meta.dir,
          `../node_modules/@cyclonedx/cyclonedx-library/res/schema/${name}.SNAPSHOT.schema.json`,
        ),
        "utf8",
      ),
    );

  test("is valid by CycloneDX 1.6's own schema, and names all that the executable carries", () => {
    const ajv = new Ajv({ strict: false, allErrors: true });
    addFormats(ajv);
    // An IRI reference, RFC 3987, which ajv-formats cannot check.
    ajv.addFormat("iri-reference", (text) => !/[\s<>"{}|\\^`]/.test(text));
    ajv.addFormat("idn-email", (text) => text.includes("@"));
    // By the names that the package's copy uses for them.
    for (const name of ["spdx", "jsf-0.82"])
      ajv.addSchema(schema(name), `http://cyclonedx.org/schema/${name}.SNAPSHOT.schema.json`);
    const isValid = ajv.compile(schema("bom-1.6"));
    const bom = JSON.parse(sbom(AT));
    isValid(bom);
    expect(isValid.errors ?? []).toEqual([]);
    expect(bom.components.map(({ name }: { name: string }) => name)).toEqual(
      allLicenses()
        .slice(1)
        .map(({ name }) => name),
    );
    expect(bom.components.map(({ purl }: { purl?: string }) => purl)).toContain(
      "pkg:npm/%40sinclair/typebox@0.34.52",
    );
    bom.components[0].type = "nonsense";
    expect(isValid(bom)).toBe(false);
  });

  test("is the same each time", () => expect(sbom(AT)).toBe(sbom(AT)));
});

test("checksums cover every file, in the format of sha256sum", () => {
  const folder = join(scratch, "sums");
  mkdirSync(join(folder, "below"), { recursive: true });
  writeFileSync(join(folder, "b"), "b");
  writeFileSync(join(folder, "below/a"), "a");
  writeFileSync(join(folder, "SHA256SUMS"), sumsOf(folder));
  expect(readFileSync(join(folder, "SHA256SUMS"), "utf8").split("\n")).toHaveLength(3);
  expect(run("sh", "-c", `cd ${folder} && sha256sum --check --strict SHA256SUMS`)).toBe(
    "b: OK\nbelow/a: OK\n",
  );
});
