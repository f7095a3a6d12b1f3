/** The fingerprint that the executable carries is what a routing file's would be checked for. */
import { expect, test } from "bun:test";
import { readCarried } from "../../src/config/carried-fingerprints";
import { insideFingerprints } from "../../src/spaces/inside";
import written from "../../src/spaces/known/all-MiniLM-L6-v2.json";

test("the built-in model's fingerprint is read as one of the routing file is, and passes its checks", () => {
  const read = readCarried(JSON.stringify(written), "inside");
  expect(read).toEqual({ ok: true, fingerprints: insideFingerprints() });
});
