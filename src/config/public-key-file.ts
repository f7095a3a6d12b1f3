/**
 * `auth.jwt.public_key_file`: read here and turned into `public_key`. public-key.ts has the accepted keys.
 */
import { resolve } from "node:path";
import { below, type Problem } from "./problem";
import { entriesOf } from "./providers";
import { readPublicKey } from "./public-key";
import type { Tree } from "./tree";
import { readValue } from "./value-files";

/** @returns the file's absolute path and its state, if one is named */
export async function takePublicKeyFile(
  tree: Tree,
  document: unknown,
  folder: string,
  problems: Problem[],
): Promise<{ readonly path: string; readonly state: string } | undefined> {
  const { auth } = Object.fromEntries(entriesOf(document));
  const { jwt } = Object.fromEntries(entriesOf(auth));
  const { public_key_file: path, ...others } = Object.fromEntries(entriesOf(jwt));
  // Two sources of keys are reported later.
  if (typeof path !== "string" || path === "" || "public_key" in others || "jwks_url" in others)
    return undefined;
  const told = (message: string) =>
    problems.push(tree.problem(below("/auth/jwt", "public_key_file"), message));
  const absolute = resolve(folder, path);
  const value = await readValue(absolute);
  if (!value.ok) told(`the file ${path} ${value.reason}`);
  else {
    const known = readPublicKey(value.text);
    if (typeof known === "string") told(`the file ${path}: ${known}`);
    else {
      Reflect.set(Object(jwt), "public_key", value.text);
      Reflect.deleteProperty(Object(jwt), "public_key_file");
    }
  }
  return { path: absolute, state: value.state };
}
