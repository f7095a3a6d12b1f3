/**
 * Makes an image as a folder in OCI's layout (opencontainers/image-spec 1.1: image-layout.md), without a container engine: the executable, the
 * loader and the libraries that it needs, its own user, and /data. Keep it in step with deploy/Dockerfile.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { type Entry, tarGz, withFolders } from "./archive";
import { needsOf } from "./elf";

/** The same as in deploy/Dockerfile. */
const USER = 10001;

export interface Platform {
  readonly architecture: "amd64" | "arm64";
  readonly executable: Uint8Array;
  /** The folder on this machine with that processor's C library. */
  readonly libraries: string;
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

const TYPE = "application/vnd.oci.image";

export async function oci(
  folder: string,
  platforms: readonly Platform[],
  { version, at }: { readonly version: string; readonly at: Date },
): Promise<void> {
  rmSync(folder, { recursive: true, force: true });
  const blobs = join(folder, "blobs/sha256");
  mkdirSync(blobs, { recursive: true });
  const put = (mediaType: string, content: Uint8Array | string): Descriptor => {
    const hex = new Bun.CryptoHasher("sha256").update(content).digest("hex");
    writeFileSync(join(blobs, hex), content);
    return { mediaType, digest: `sha256:${hex}`, size: Buffer.byteLength(content) };
  };
  const putJson = (mediaType: string, value: object) => put(mediaType, JSON.stringify({ ...value }));
  const created = at.toISOString();

  const manifests = [];
  for (const { architecture, executable, libraries } of platforms) {
    const layer = await tarGz(rootOf(executable, libraries), at);
    const layers = [put(`${TYPE}.layer.v1.tar+gzip`, layer)];
    const diff = `sha256:${new Bun.CryptoHasher("sha256").update(gunzipSync(layer)).digest("hex")}`;
    const config = putJson(`${TYPE}.config.v1+json`, {
      created,
      architecture,
      os: "linux",
      config: {
        User: `${USER}:${USER}`,
        ExposedPorts: { "8080/tcp": {} },
        Env: ["PATH=/usr/local/bin"],
        Entrypoint: ["/usr/local/bin/embedgate"],
        Cmd: ["serve", "--host", "0.0.0.0"],
        Volumes: { "/data": {} },
        WorkingDir: "/data",
        StopSignal: "SIGTERM",
      },
      rootfs: { type: "layers", diff_ids: [diff] },
      history: [{ created, created_by: "bun run release" }],
    });
    const manifest = putJson(`${TYPE}.manifest.v1+json`, {
      schemaVersion: 2,
      mediaType: `${TYPE}.manifest.v1+json`,
      config,
      layers,
    });
    manifests.push({ ...manifest, platform: { architecture, os: "linux" } });
  }
  const mediaType = `${TYPE}.index.v1+json`;
  const annotations = {
    "org.opencontainers.image.title": "embedgate",
    "org.opencontainers.image.version": version,
    "org.opencontainers.image.licenses": "Apache-2.0",
    "org.opencontainers.image.created": created,
  };
  const image = putJson(mediaType, { schemaVersion: 2, mediaType, manifests, annotations });
  const named = { ...image, annotations: { "org.opencontainers.image.ref.name": version } };
  writeFileSync(
    join(folder, "index.json"),
    JSON.stringify({ schemaVersion: 2, mediaType, manifests: [named] }),
  );
  writeFileSync(join(folder, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
}

/** The executable names the loader's path; the loader looks for libraries in /lib and in its own folder. */
function rootOf(executable: Uint8Array, libraries: string): readonly Entry[] {
  const { loader, libraries: needed } = needsOf(executable);
  const names = [...new Set(needed)].filter((name) => name !== basename(loader)).sort();
  const library = (name: string) => readFileSync(join(libraries, name));
  const files: Entry[] = [
    { path: "usr/local/bin/embedgate", mode: 0o755, content: executable },
    { path: loader.slice(1), mode: 0o755, content: library(basename(loader)) },
    ...names.map((name) => ({ path: `lib/${name}`, mode: 0o644, content: library(name) })),
    {
      path: "etc/passwd",
      mode: 0o644,
      content: `root:x:0:0:root:/:/nologin\nembedgate:x:${USER}:${USER}::/data:/nologin\n`,
    },
    { path: "etc/group", mode: 0o644, content: `root:x:0:\nembedgate:x:${USER}:\n` },
    { path: "etc/nsswitch.conf", mode: 0o644, content: "hosts: files dns\n" },
    {
      path: "usr/share/doc/libc/copyright",
      mode: 0o644,
      content:
        "The loader and the libraries in /lib are of the GNU C Library, as Debian builds it: GNU LGPL 2.1 or later.\n'embedgate licenses' prints its text. Source: Debian's package glibc.\n",
    },
  ];
  const folders: Entry[] = [
    { path: "data/", mode: 0o700, owner: USER },
    { path: "tmp/", mode: 0o1777 },
    // The container runtime mounts these; with a read-only root it cannot create them.
    ...["dev/", "proc/", "sys/"].map((path) => ({ path, mode: 0o755 })),
  ];
  return withFolders(files, folders);
}
