/*
 * Arithmetic on sixteen numbers at a time, the same for every lanes-*.h. ../portable/simd/arithmetic.ts has the same constants in the same order:
 * change both if a change alters a number.
 */

INLINE lanes multiply_add(lanes a, lanes b, lanes c) { return add(multiply(a, b), c); }

/* 1 / root of x. The square root is one instruction, which rounds correctly. */
INLINE float inverse_root(float x) { return 1 / _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x))); }

INLINE lanes exponential(lanes value) {
  lanes x = larger(value, fill(-87));
  lanes n = nearest(multiply(x, fill(1.4426950408889634f)));
  lanes r = subtract(x, multiply(n, fill(0.693359375f)));
  r = subtract(r, multiply(n, fill(-2.1219444e-4f)));
  lanes p = fill(1.987569150e-4f);
  p = multiply_add(p, r, fill(1.3981999507e-3f));
  p = multiply_add(p, r, fill(8.3334519073e-3f));
  p = multiply_add(p, r, fill(4.1665795894e-2f));
  p = multiply_add(p, r, fill(1.6666665459e-1f));
  p = multiply_add(p, r, fill(5.0000001201e-1f));
  p = add(multiply_add(multiply(p, r), r, r), fill(1));
  return multiply(p, power_of_two(n));
}

INLINE lanes gelu(lanes x) {
  lanes z = multiply(magnitude(x), fill(0.7071067811865476f));
  lanes t = divide(fill(1), multiply_add(z, fill(0.3275911f), fill(1)));
  lanes p = fill(1.061405429f);
  p = multiply_add(p, t, fill(-1.453152027f));
  p = multiply_add(p, t, fill(1.421413741f));
  p = multiply_add(p, t, fill(-0.284496736f));
  p = multiply_add(p, t, fill(0.254829592f));
  lanes tail = multiply(multiply(p, t), exponential(subtract(fill(-0.0f), multiply(z, z))));
  lanes erf = with_sign(magnitude(subtract(fill(1), tail)), x);
  return multiply(multiply(x, fill(0.5f)), add(fill(1), erf));
}
