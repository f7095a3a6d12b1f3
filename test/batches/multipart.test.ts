/** Multipart forms as they arrive: split anywhere, with any file contents. */
import { describe, expect, test } from "bun:test";
import fastCheck from "fast-check";
import { boundaryOf, readForm } from "../../src/batches/multipart";

async function read(pieces: readonly Uint8Array[], boundary: string) {
  const fields: Record<string, string> = {};
  const blocks: Uint8Array[] = [];
  let filename: string | undefined;
  async function* coming() {
    yield* pieces;
  }
  await readForm(coming(), boundary, {
    field(name, value) {
      fields[name] = value;
    },
    async file(_, said) {
      filename = said;
    },
    async block(bytes) {
      blocks.push(bytes.slice());
    },
  });
  return { fields, filename, file: Buffer.concat(blocks) };
}

function cut(bytes: Uint8Array, size: number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.slice(at, at + size));
  return pieces;
}

describe("a form", () => {
  test("is the same however it is split, whatever the file contains", async () => {
    await fastCheck.assert(
      fastCheck.asyncProperty(
        fastCheck.array(
          fastCheck.constantFrom("\r", "\n", "-", "--", "\r\n--", "\r\n--bound", "bound", "x", "é"),
          {
            maxLength: 60,
          },
        ),
        fastCheck.integer({ min: 1, max: 40 }),
        async (parts, size) => {
          // The file never contains the boundary: whoever writes the form chooses it that way.
          const file = parts.join("").replaceAll("--boundary", "");
          const text = `--boundary\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--boundary\r\nContent-Disposition: form-data; name="file"; filename="a;\\"b.jsonl"\r\nContent-Type: application/octet-stream\r\n\r\n${file}\r\n--boundary--\r\n`;
          const found = await read(cut(Buffer.from(text), size), "boundary");
          expect(found.fields).toEqual({ purpose: "batch" });
          expect(found.filename).toBe('a;"b.jsonl');
          expect(found.file.toString()).toBe(file);
        },
      ),
      { numRuns: 200, seed: 7 },
    );
  });

  test.each([
    ["", "ends before"],
    ["--b\r\n\r\nx\r\n--b--", "no name"],
    ['--b\r\ncontent-disposition: form-data; name="a"\r\n\r\nx', "ends before"],
    [`--b\r\ncontent-disposition: form-data; name="a"\r\n\r\n${"x".repeat(70_000)}\r\n--b--`, "too long"],
  ])("%# is refused where it is broken", async (text, words) => {
    await expect(read([Buffer.from(text)], "b")).rejects.toThrow(words);
  });

  test("has its boundary in the content type", () => {
    expect(boundaryOf('multipart/form-data; charset=utf-8; boundary="a b;c"')).toBe("a b;c");
    expect(boundaryOf("Multipart/Form-Data;boundary=----x")).toBe("----x");
    for (const other of [
      null,
      "application/json; boundary=x",
      "multipart/form-data",
      "multipart/form-data; boundary=",
    ])
      expect(() => boundaryOf(other)).toThrow("multipart/form-data");
  });
});
