/** A base URL as people write it, with or without a trailing slash. Plugins have their own: plugins/base-url.ts. */

// Linear, where the plain `\/+$` is not.
export const withoutSlash = (url: string): string => url.replace(/(?<!\/)\/+$/, "");
