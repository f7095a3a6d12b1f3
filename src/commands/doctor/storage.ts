/** The database: intact, writable, on a local disk with free space; and its embedding spaces. */
import { accessSync, constants, existsSync, readFileSync, statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import type { GatewayConfig } from "../../config/gateway-config";
import { checkBackup } from "../../db/backup";
import { counted } from "../../domain/counted";
import { GatewayError } from "../../domain/errors";
import type { RouteRecord } from "../../spaces/records";
import type { Stores } from "../../stores/stores";
import { type Finding, fine, note, withConfig, wrong } from "./finding";

export function databaseFile(path: string, file: string | undefined): Finding {
  const check = "database";
  if (!existsSync(path)) return note(check, `${path} does not exist yet: 'embedgate serve' creates it`);
  try {
    accessSync(path, constants.W_OK);
    accessSync(dirname(path), constants.W_OK);
  } catch {
    return wrong(
      check,
      `${path} or its folder cannot be written by this user`,
      `chown -R embedgate: ${dirname(path)}`,
    );
  }
  const { uid } = statSync(path);
  const folder = statSync(dirname(path));
  if (uid !== folder.uid)
    return wrong(
      check,
      `${path} belongs to another user than its folder: a gateway of the folder's user cannot open it`,
      `chown --reference=${dirname(path)} ${path}*`,
    );
  try {
    const { ledger_rows, keys } = checkBackup(path);
    return fine(check, `${path} is whole: ${counted(ledger_rows, "ledger row")}, ${counted(keys, "key")}`);
  } catch (cause) {
    if (!(cause instanceof GatewayError)) throw cause;
    return wrong(check, cause.message, `embedgate restore BACKUP${withConfig(file)}`);
  }
}

const MB = 2 ** 20;
const FREE_BYTES_WRONG = 100 * MB;
const FREE_BYTES_NOTE = 1024 * MB;

/** @param at the folder, or the nearest parent that exists */
export function disk(at: string): Finding {
  const folder = nearest(at);
  const { bavail, bsize, ffree, files } = statfsSync(folder);
  const free = bavail * bsize;
  const says = `${(free / MB).toFixed(0)} MB free for ${folder}`;
  const mend = `df -h ${folder}`;
  if (free < FREE_BYTES_WRONG)
    return wrong("disk", `${says}: requests fail once nothing can be written`, mend);
  // Some file systems do not count files.
  if (files > 0 && ffree < 100)
    return wrong("disk", `no room for further files at ${folder}`, `df -i ${folder}`);
  return free < FREE_BYTES_NOTE ? note("disk", says, mend) : fine("disk", says);
}

/** File systems on which SQLite's locks or shared memory are unreliable: sqlite.org/howtocorrupt.html. */
const NETWORK =
  /^(?:nfs\d?|cifs|smb\d?|smbfs|afs|9p|ceph|glusterfs|lustre|fuse\.(?:sshfs|glusterfs|ceph|s3fs|rclone|gcsfuse))$/;

/** @param mounts the content of /proc/self/mounts */
export function fileSystem(at: string, mounts = mountsHere()): Finding {
  const folder = nearest(at);
  const holds = (place: string) => place === "/" || folder === place || folder.startsWith(`${place}/`);
  const mount = mounts
    .split("\n")
    .map((line) => line.split(" "))
    .map(([, place = "", kind = ""]) => ({ place: place.replaceAll("\\040", " "), kind }))
    .filter(({ place }) => place !== "" && holds(place))
    // If mount points are equal, the last one is on top.
    .reduce((best, one) => (one.place.length >= best.place.length ? one : best), {
      place: "",
      kind: "unknown",
    });
  if (mount.kind === "unknown")
    return note("file system", "this system does not tell on which file system the database is");
  if (!NETWORK.test(mount.kind)) return fine("file system", `${folder} is on ${mount.kind}`);
  return wrong(
    "file system",
    `${folder} is on ${mount.kind} (${mount.place}), a network file system: SQLite's locks are not safe there`,
    "set 'database' in the routing file to a path on a local disk",
  );
}

function mountsHere(): string {
  try {
    return readFileSync("/proc/self/mounts", "utf8");
  } catch {
    return "";
  }
}

const nearest = (path: string): string =>
  existsSync(path) || path === dirname(path) ? path : nearest(dirname(path));

/** Routes that were measured to be in another space than they claim. */
export async function spaces(stores: Stores, { models, file }: GatewayConfig): Promise<readonly Finding[]> {
  const records = stores.openRecords();
  const names = new Set(
    stores
      .openFingerprints()
      .list()
      .map(({ space }) => space),
  );
  for (const { space } of models.values()) if (space !== undefined) names.add(space);
  const found = new Map<string, RouteRecord>();
  for (const name of names)
    for (const record of await records.of(name))
      found.set(`${record.claim} ${record.provider} ${record.model}`, record);
  const out = [...found.values()].filter(({ serves }) => !serves);
  if (out.length === 0)
    return [fine("spaces", `${counted(found.size, "measured route")} in the spaces that they claim`)];
  return out.map(({ provider, model, claimed, cosine, says }) =>
    wrong(
      "spaces",
      `${provider} (${model}) is not in the space ${claimed}: lowest cosine ${cosine.toFixed(5)}, ${says}`,
      `embedgate spaces show ${claimed}${withConfig(file)}`,
    ),
  );
}
