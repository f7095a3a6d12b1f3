/**
 * Archives that have the same bytes for the same content: numeric owners, and one time for all files. The caller sorts the names.
 */
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";

export interface Entry {
  /** The path in the archive, such as ./usr/bin/embedgate; a folder ends with a slash. */
  readonly path: string;
  readonly mode: number;
  /** A link has `to`, its target, instead of `content`. */
  readonly content?: Uint8Array | string;
  readonly to?: string;
  /** The number of the user and the group; left out: 0. */
  readonly owner?: number;
}

/** @param at the date of every file */
export async function tarGz(entries: readonly Entry[], at: Date): Promise<Buffer> {
  const tar = pack();
  const chunks: Uint8Array[] = [];
  const read = new Promise<void>((resolve, reject) => {
    tar.on("data", (chunk) => {
      if (chunk instanceof Uint8Array) chunks.push(chunk);
    });
    tar.on("end", () => resolve());
    tar.on("error", reject);
  });
  for (const { path, mode, content, to, owner = 0 } of entries) {
    const isFolder = path.endsWith("/");
    const header = {
      name: path,
      mode,
      mtime: at,
      uid: owner,
      gid: owner,
      uname: owner === 0 ? "root" : "",
      gname: owner === 0 ? "root" : "",
      type: isFolder ? ("directory" as const) : to === undefined ? ("file" as const) : ("symlink" as const),
      ...(to !== undefined && { linkname: to }),
    };
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const done = (error?: Error | null) => (error ? reject(error) : resolve());
    if (isFolder || to !== undefined) tar.entry(header, done);
    else tar.entry(header, Buffer.from(content ?? ""), done);
    await promise;
  }
  tar.finalize();
  await read;
  // gzip's header has no time and no name.
  return gzipSync(Buffer.concat(chunks), { level: 6 });
}

/** Adds the folders of all paths, each before its contents. */
export function withFolders(files: readonly Entry[], folders: readonly Entry[] = []): readonly Entry[] {
  const all = new Map(folders.map((folder) => [folder.path, folder]));
  for (const { path } of [...folders, ...files]) {
    const parts = path.split("/");
    for (let i = 1; i < parts.length; i++) {
      const above = `${parts.slice(0, i).join("/")}/`;
      if (!all.has(above)) all.set(above, { path: above, mode: 0o755 });
    }
  }
  for (const file of files) all.set(file.path, file);
  return [...all.values()].filter(({ path }) => path !== "/").toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

/** The `ar` format of Debian packages: deb(5). */
export function ar(members: readonly (readonly [name: string, content: Uint8Array])[], at: Date): Buffer {
  const parts: Uint8Array[] = [Buffer.from("!<arch>\n")];
  for (const [name, content] of members) {
    const head = [
      name.padEnd(16),
      String(Math.floor(at.getTime() / 1000)).padEnd(12),
      "0".padEnd(6),
      "0".padEnd(6),
      "100644".padEnd(8),
      String(content.length).padEnd(10),
      "`\n",
    ].join("");
    parts.push(Buffer.from(head), content);
    if (content.length % 2 === 1) parts.push(Buffer.from("\n"));
  }
  return Buffer.concat(parts);
}
