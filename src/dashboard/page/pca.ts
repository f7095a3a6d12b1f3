/**
 * Two coordinates for each vector: its first two principal components, by power iteration over the vectors' inner products, as there are few
 * vectors. The same vectors always give the same map: nothing is random.
 */
import { cosineOf } from "../../domain/cosine";

export interface Point {
  readonly x: number;
  readonly y: number;
}

const STEPS = 200;

/** @returns a point for each vector, around (0, 0) */
export function mapOf(vectors: readonly ArrayLike<number>[]): Point[] {
  const products = centredProducts(vectors);
  const first = strongest(products);
  const rest = products.map((row, i) =>
    row.map((value, j) => value - first.strength * (first.values[i] ?? 0) * (first.values[j] ?? 0)),
  );
  const second = strongest(rest);
  return vectors.map((_, i) => ({
    x: (first.values[i] ?? 0) * Math.sqrt(Math.max(0, first.strength)),
    y: (second.values[i] ?? 0) * Math.sqrt(Math.max(0, second.strength)),
  }));
}

/** Inner products of the vectors after subtracting their mean. */
function centredProducts(vectors: readonly ArrayLike<number>[]): number[][] {
  const raw = vectors.map((one) => vectors.map((other) => dot(one, other)));
  const means = raw.map((row) => mean(row));
  const all = mean(means);
  return raw.map((row, i) => row.map((value, j) => value - (means[i] ?? 0) - (means[j] ?? 0) + all));
}

const mean = (values: readonly number[]) =>
  values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;

/** The eigenvector of the largest eigenvalue, of length 1. */
function strongest(matrix: readonly (readonly number[])[]): { values: number[]; strength: number } {
  let values = unit(matrix.map((_, i) => 1 + ((i * 7_919) % 101) / 101));
  for (let step = 0; step < STEPS; step++) values = unit(matrix.map((row) => dot(row, values)));
  return {
    values,
    strength: dot(
      values,
      matrix.map((row) => dot(row, values)),
    ),
  };
}

function unit(values: readonly number[]): number[] {
  const length = Math.hypot(...values);
  return length < 1e-12 ? values.map(() => 0) : values.map((value) => value / length);
}

export function dot(one: ArrayLike<number>, other: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < one.length; i++) sum += (one[i] ?? 0) * (other[i] ?? 0);
  return sum;
}

/** 0 if the vectors cannot be compared. */
export const cosine = (one: ArrayLike<number>, other: ArrayLike<number>): number => cosineOf(one, other) ?? 0;
