/**
 * Accepts `base_url` as people copy it from a vendor's documentation: with or without a trailing slash, a path, or a version.
 */

// Linear, where the plain `\/+$` is not: https://example.com///…///x would take quadratic time.
export const withoutSlash = (address: string): string => address.replace(/(?<!\/)\/+$/, "");

/** `https://host`, `https://host/` and `https://host/v1` are the same address where the version is v1. */
export function withVersion(base_url: string, version: string): string {
  const trimmed = withoutSlash(base_url);
  return /\/v\d+(?:[a-z]+\d*)?$/.test(trimmed) ? trimmed : `${trimmed}/${version}`;
}

/** `https://host` alone means the usual path there, `https://host/v1` that of most servers with OpenAI's API. */
export function withPath(base_url: string, usual: string): string {
  const trimmed = withoutSlash(base_url);
  return new URL(trimmed).pathname === "/" ? trimmed + usual : trimmed;
}
