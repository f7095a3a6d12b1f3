/** A base URL as people write it, with or without a slash at its end. Plugins have their own: plugins/base-url.ts. */

// Linear, where the plain `\/+$` is not.
export const withoutSlash = (url: string): string => url.replace(/(?<!\/)\/+$/, "");
