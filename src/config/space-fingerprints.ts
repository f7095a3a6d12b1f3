/**
 * The file that `space_fingerprints` names: read and checked with the routing file, so that a gateway never starts with half of it.
 */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { Fingerprint } from "../domain/fingerprint";
import { readCarried } from "./carried-fingerprints";
import type { Problem } from "./problem";
import type { Tree } from "./tree";

/** @param written the value of `space_fingerprints`, whatever it is; @returns none if it was refused, or there is none */
export async function checkFingerprints(
  tree: Tree,
  written: unknown,
  folder: string,
  problems: Problem[],
): Promise<readonly Fingerprint[]> {
  if (typeof written !== "string" || written === "") return [];
  const place = "/space_fingerprints";
  let text: string;
  try {
    text = await readFile(resolve(folder, written), "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    const reason = code === "ENOENT" ? "there is no such file" : `it cannot be read: ${code}`;
    problems.push(tree.problem(place, `${written}: ${reason}`));
    return [];
  }
  const carried = readCarried(text);
  if (carried.ok) return carried.fingerprints;
  problems.push(tree.problem(place, `${written}: ${carried.message}`));
  return [];
}
