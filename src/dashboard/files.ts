/**
 * The dashboard's files for a browser: page, script and stylesheet, kept compressed. Everything else comes from the Admin API.
 * The page contains no secret and needs no key; a further file is a member of FILES.
 */

import { bundled } from "./bundle" with { type: "macro" };
import type { Packed } from "./bundle";

interface File {
  readonly type: string;
  readonly compressed: Uint8Array<ArrayBuffer>;
  readonly etag: string;
}

export interface FileAnswer {
  readonly status: 200 | 304;
  readonly body: Uint8Array<ArrayBuffer> | "";
  readonly headers: Readonly<Record<string, string>>;
}

/** Nothing external, nothing inline, no framing. */
const CONTENT_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** @param mode open: no key is needed, so the page need not ask whether there is a session */
const page = (mode: "open" | "keys") => `<!doctype html>
<html lang="en" data-mode="${mode}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>embedgate</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/dashboard/dashboard.css">
<script type="module" src="/dashboard/dashboard.js"></script>
</head>
<body><noscript>The dashboard needs JavaScript. /swagger tells of the Admin API, which has all that it shows.</noscript></body>
</html>
`;

const file = (type: string, { compressed, hash }: Packed): File => ({
  type,
  compressed: Uint8Array.fromBase64(compressed),
  etag: `"${hash}"`,
});

const pageFile = (mode: "open" | "keys"): File => {
  const plain = new TextEncoder().encode(page(mode));
  return {
    type: "text/html; charset=utf-8",
    compressed: Bun.gzipSync(plain, { level: 9 }),
    etag: `"${Bun.hash(plain).toString(36)}"`,
  };
};

export const PAGE = "index.html";
export const OPEN_PAGE = "open.html";

const { script, style } = bundled();
const FILES: ReadonlyMap<string, File> = new Map([
  [OPEN_PAGE, pageFile("open")],
  [PAGE, pageFile("keys")],
  ["dashboard.js", file("text/javascript; charset=utf-8", script)],
  ["dashboard.css", file("text/css; charset=utf-8", style)],
]);

/** @returns undefined if there is no such file */
export const dashboardFile = (name: string): File | undefined => FILES.get(name);

export function answerFile(
  { type, compressed, etag }: File,
  { headers }: Pick<Request, "headers">,
): FileAnswer {
  const known = (headers.get("if-none-match") ?? "").split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  const isCompressed = /(?:^|[\s,])gzip(?!\s*;\s*q=0(?:\.0*)?(?:$|[\s,]))/.test(
    headers.get("accept-encoding") ?? "",
  );
  const common = {
    etag,
    // After a restart the version may differ.
    "cache-control": "no-cache",
    "content-security-policy": CONTENT_POLICY,
    "cross-origin-opener-policy": "same-origin",
    vary: "accept, accept-encoding",
  };
  if (known.includes(etag)) return { status: 304, body: "", headers: common };
  return {
    status: 200,
    body: isCompressed ? compressed : Bun.gunzipSync(compressed),
    headers: { ...common, "content-type": type, ...(isCompressed && { "content-encoding": "gzip" }) },
  };
}
