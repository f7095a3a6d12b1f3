/**
 * Makes weights.bin from the model's float32 file: `bun plugins/local/weights/convert.ts model.safetensors weights.bin`.
 * Weights become int8 with one scale per row, in the order and packing that kernel/portable/ reads: change the two together.
 * The same input gives the same bytes. NOTICE names the source of the input.
 */
import { createHash } from "node:crypto";

const MODEL_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db";

const HIDDEN = 384;
const LAYERS = 6;
const POSITIONS = 256;
const HEAD_SIZE = 32;
/** Every part starts at a multiple of this many bytes, for aligned SIMD loads. */
const ALIGNMENT = 16;
/** How many outputs are adjacent in a packed weight matrix, and how many inputs of each. */
const PANEL = 16;
const PAIR = 2;

/** Reads tensors by name from a safetensors file: the length of a JSON header (8 bytes), the header, then the numbers. */
class Safetensors {
  private readonly header: Record<string, unknown>;
  private readonly dataStart: number;

  constructor(private readonly file: ArrayBuffer) {
    const headerLength = Number(new DataView(file).getBigUint64(0, true));
    this.dataStart = 8 + headerLength;
    const header: unknown = JSON.parse(new TextDecoder().decode(new Uint8Array(file, 8, headerLength)));
    if (!isRecord(header)) throw new Error("The header of the safetensors file is not an object.");
    this.header = header;
  }

  /** One float32 tensor, row after row. */
  tensor(name: string): Float32Array {
    const entry = this.header[name];
    const offsets = isRecord(entry) && entry.dtype === "F32" ? entry.data_offsets : undefined;
    if (!Array.isArray(offsets)) throw new Error(`The file has no float32 tensor called ${name}.`);
    const [start, end] = offsets.map(Number);
    if (start === undefined || end === undefined)
      throw new Error(`The tensor ${name} has no place in the file.`);
    return new Float32Array(this.file.slice(this.dataStart + start, this.dataStart + end));
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A number of a typed array. @throws Error for an index outside the array, which is a bug and must not read as 0 */
function at(values: Float32Array | Float64Array | Int8Array, place: number): number {
  const value = values[place];
  if (value === undefined) throw new Error(`Place ${place} is outside a tensor of ${values.length} numbers.`);
  return value;
}

/** Rounds to the nearest integer, halves to the even one. */
function roundHalfToEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest === 0.5) return below % 2 === 0 ? below : below + 1;
  return rest < 0.5 ? below : below + 1;
}

interface Quantised {
  readonly values: Int8Array;
  /** The value of one int8 step in each row. */
  readonly scales: Float64Array;
}

/** Quantises each row to int8 in ±127, by its own largest absolute value. */
function quantiseRows(weights: Float32Array, rows: number, columns: number): Quantised {
  const values = new Int8Array(rows * columns);
  const scales = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    const start = row * columns;
    let largest = 0;
    for (let i = 0; i < columns; i++) largest = Math.max(largest, Math.abs(at(weights, start + i)));
    const scale = largest / 127 || 1; // a row of zeros keeps a scale that can be divided by
    scales[row] = scale;
    for (let i = 0; i < columns; i++) {
      values[start + i] = Math.max(-127, Math.min(127, roundHalfToEven(at(weights, start + i) / scale)));
    }
  }
  return { values, scales };
}

/** Rows [output][input] → panels of sixteen outputs, two inputs at a time: o0i0 o0i1 o1i0 o1i1 … o15i1 | o0i2 … */
function pack(values: Int8Array, outputs: number, inputs: number): Int8Array {
  const packed = new Int8Array(values.length);
  let to = 0;
  for (let panel = 0; panel < outputs; panel += PANEL) {
    for (let pair = 0; pair < inputs; pair += PAIR) {
      for (let output = panel; output < panel + PANEL; output++) {
        for (let input = pair; input < pair + PAIR; input++)
          packed[to++] = at(values, output * inputs + input);
      }
    }
  }
  return packed;
}

/** The parts of weights.bin, one after another. */
class Parts {
  private readonly parts: Uint8Array[] = [];

  add(part: Int8Array | Float32Array): void {
    this.parts.push(new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
    this.parts.push(new Uint8Array((ALIGNMENT - (part.byteLength % ALIGNMENT)) % ALIGNMENT));
  }

  /** A linear layer: packed weights, scales, biases. `factor` is folded into each row (output) of all three. */
  addLinear(weights: Float32Array, biases: Float32Array, factor: (row: number) => number = () => 1): void {
    const outputs = biases.length;
    const inputs = weights.length / outputs;
    const { values, scales } = quantiseRows(weights, outputs, inputs);
    this.add(pack(values, outputs, inputs));
    this.add(Float32Array.from(scales, (scale, row) => scale * factor(row)));
    this.add(biases.map((bias, row) => bias * factor(row)));
  }

  bytes(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.parts));
  }
}

function joined(tensors: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(tensors.reduce((length, tensor) => length + tensor.length, 0));
  let to = 0;
  for (const tensor of tensors) {
    all.set(tensor, to);
    to += tensor.length;
  }
  return all;
}

/** Converts the bytes of model.safetensors to those of weights.bin. @throws Error if the input is another file */
export function convert(file: ArrayBuffer): Uint8Array {
  if (sha256(new Uint8Array(file)) !== MODEL_SHA256) {
    throw new Error(`This is not the model.safetensors that NOTICE names (sha256 ${MODEL_SHA256}).`);
  }
  const model = new Safetensors(file);
  const parts = new Parts();
  const addLayerNorm = (name: string) => {
    parts.add(model.tensor(`${name}.weight`));
    parts.add(model.tensor(`${name}.bias`));
  };
  const addLinear = (name: string) =>
    parts.addLinear(model.tensor(`${name}.weight`), model.tensor(`${name}.bias`));

  const words = model.tensor("embeddings.word_embeddings.weight");
  const { values, scales } = quantiseRows(words, words.length / HIDDEN, HIDDEN);
  parts.add(values);
  parts.add(Float32Array.from(scales));
  // All texts have token type 0, so its embedding is added to the positions here.
  const tokenType = model.tensor("embeddings.token_type_embeddings.weight");
  const positions = model.tensor("embeddings.position_embeddings.weight").slice(0, POSITIONS * HIDDEN);
  parts.add(positions.map((value, i) => value + at(tokenType, i % HIDDEN)));
  addLayerNorm("embeddings.LayerNorm");

  for (let layer = 0; layer < LAYERS; layer++) {
    const name = `encoder.layer.${layer}`;
    const queryKeyValue = (kind: "weight" | "bias") =>
      joined(["query", "key", "value"].map((part) => model.tensor(`${name}.attention.self.${part}.${kind}`)));
    // Attention divides query · key by √32. Here that costs nothing; in the kernel it would be 256² divisions per head.
    parts.addLinear(queryKeyValue("weight"), queryKeyValue("bias"), (row) =>
      row < HIDDEN ? HEAD_SIZE ** -0.5 : 1,
    );
    addLinear(`${name}.attention.output.dense`);
    addLayerNorm(`${name}.attention.output.LayerNorm`);
    addLinear(`${name}.intermediate.dense`);
    addLinear(`${name}.output.dense`);
    addLayerNorm(`${name}.output.LayerNorm`);
  }
  return parts.bytes();
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

async function main([source, target]: readonly string[]): Promise<void> {
  if (source === undefined || target === undefined) {
    throw new Error("Usage: bun convert.ts <model.safetensors> <weights.bin>");
  }
  const bytes = convert(await Bun.file(source).arrayBuffer());
  await Bun.write(target, bytes);
  console.log(`${sha256(bytes)}  ${target} (${bytes.length} bytes)`);
}

if (import.meta.main) await main(process.argv.slice(2));
