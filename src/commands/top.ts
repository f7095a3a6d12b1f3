/**
 * `embedgate top`: what a running gateway is doing, from the Admin API, redrawn repeatedly. top-page.ts lays it out.
 */
import { realOutside } from "../network/real-outside";
import { configured } from "../serving/configured";
import { cutAt } from "../terminal/fit";
import { screen } from "../terminal/screen";
import { json } from "./json";
import { addressOf, askAdmin, type Told } from "./running";
import { type Overview, overviewOf, pageOf } from "./top-page";

export interface TopOptions {
  readonly config?: string;
  readonly url?: string;
  readonly key?: string;
  readonly since: number;
  readonly every: number;
  readonly once?: boolean;
  readonly json?: boolean;
}

/** q, Ctrl-C, Ctrl-D: in raw mode Ctrl-C sends no signal. */
const ENDING = ["q", "\u0003", "\u0004"];
/** Ends `top` only if nothing follows: arrow keys begin with it. */
const ESCAPE = "\u001b";
/** Moves the cursor to the top left corner and clears the screen. */
const DRAW = "\u001b[H\u001b[J";
const BEGIN = "\u001b[?1049h\u001b[?25l";
const END = "\u001b[?25h\u001b[?1049l";

export async function top(options: TopOptions): Promise<number> {
  const config = options.url === undefined ? await configured(options.config, { notes: false }) : undefined;
  if (options.url === undefined && config === undefined) return 1;
  const base = config ? addressOf(config.server) : (options.url ?? "").replace(/\/$/, "");
  const look = () => lookAt(base, options);
  if (options.once || !process.stdout.isTTY) return showOnce(await look(), options, base);
  const first = await look();
  if ("reason" in first) return showOnce(first, options, base);
  return showUntilEnded(first, look, options.every, base);
}

function showOnce(seen: Seen, { json: isJson }: TopOptions, base: string): number {
  if ("reason" in seen) {
    console.error(seen.reason);
    return 1;
  }
  console.log(isJson ? json(seen) : pageOf(seen, base, screen()));
  return 0;
}

type Seen = Overview | { readonly reason: string };

async function lookAt(base: string, { key, since }: TopOptions): Promise<Seen> {
  const minutes = `${Math.max(1, Math.round(since / 60_000))}m`;
  const series = (by: string) => `/admin/v1/series?unit=minute&since=${minutes}&by=${by}&columns=requests`;
  const paths = [
    "/admin/v1/gateway",
    series("model,provider"),
    series("workspace"),
    "/admin/v1/routes",
    "/admin/v1/notices",
  ];
  const told: readonly Told[] = await Promise.all(
    paths.map((path) => askAdmin(realOutside, base, path, key)),
  );
  const bodies: unknown[] = [];
  for (const one of told) {
    if (!one.ok) return { reason: one.reason };
    bodies.push(one.body);
  }
  return overviewOf(bodies) ?? { reason: `${base} is of another version: its answers cannot be read` };
}

/** Ends with Ctrl-C, q or a signal, and restores the terminal. */
async function showUntilEnded(
  first: Overview,
  look: () => Promise<Seen>,
  everyMs: number,
  base: string,
): Promise<number> {
  const over = new AbortController();
  const end = () => over.abort();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, end);
  process.stdin.setRawMode?.(true);
  process.stdin.on("data", (typed: Buffer) => {
    if (ENDING.some((key) => typed.includes(key)) || typed.toString() === ESCAPE) end();
  });
  let seen: Seen = first;
  let last = first;
  const draw = () => process.stdout.write(DRAW + pictureOf(last, "reason" in seen ? seen.reason : "", base));
  process.stdout.on("resize", draw);
  process.stdout.write(BEGIN);
  try {
    while (!over.signal.aborted) {
      if (!("reason" in seen)) last = seen;
      draw();
      await realOutside.sleep(everyMs, over.signal).catch(() => undefined);
      if (!over.signal.aborted) seen = await look();
    }
  } finally {
    process.stdout.off("resize", draw);
    process.stdout.write(END);
    process.stdin.setRawMode?.(false);
    process.stdin.pause();
  }
  return 0;
}

const ROWS = 24;
const COLUMNS = 80;

/** As much of the page as fits the terminal. @param lost why the page is no longer updated, or empty */
function pictureOf(last: Overview, lost: string, base: string): string {
  const { rows = ROWS, columns = COLUMNS } = process.stdout;
  const page = cutAt(pageOf(last, base, screen()), columns).split("\n");
  if (lost === "") return page.slice(0, rows - 1).join("\n");
  return [...page.slice(0, rows - 2), cutAt(lost, columns)].join("\n");
}
