/**
 * Step 9: from what an answer says to its bytes. A small one is printed at once, a larger one page by page as the client takes it, so that
 * it is never held as a whole; the pages of a large one are printed aside, so that nobody else's request waits for them.
 */
import type { Aside } from "../aside/aside";
import { packed } from "../aside/packed-page";
import { directStream, UNWATCHED, type Watch } from "../printing/direct-stream";
import { printPage } from "../printing/print";
import { PAGE_BYTES, type Page, pagesOf, type Script } from "../printing/script";

/** A small answer, or a large one that is still to be printed. */
export type Body = Uint8Array<ArrayBuffer> | Printing;

export interface Printing {
  /** At most, until it is read to its end: of the vectors that are still to be printed, and of the pages. */
  readonly heldBytes: number;
  /** @param reader a server takes copies of what it cannot send at once, so that the same memory is printed to again; others keep it */
  stream(reader: "server" | "other", watch?: Watch): ReadableStream<Uint8Array>;
}

/** So many pages take two or three milliseconds in all, with others' turns between them: less than it costs to hand them over. */
const PAGES_HERE_MAX = 2;

/** @param vectorBytes of all that the script says */
export function printed(script: Script, aside: Aside, vectorBytes = 0): Body {
  const pages = pagesOf(script);
  const begun: Page[] = [];
  for (let next = pages.next(); !next.done; next = pages.next()) {
    begun.push(next.value);
    if (begun.length > PAGES_HERE_MAX) break;
  }
  const [first] = begun;
  if (first === undefined) return new Uint8Array();
  if (begun.length === 1) return printPage(first);
  const isSmall = begun.length <= PAGES_HERE_MAX;
  return {
    heldBytes: vectorBytes + (isSmall ? begun.length : 2 + aside.threads) * PAGE_BYTES,
    stream: (reader, watch = UNWATCHED) =>
      inPages(begun, pages, isSmall ? undefined : aside, reader === "server", watch),
  };
}

function inPages(
  begun: Page[],
  pages: Iterator<Page>,
  aside: Aside | undefined,
  isCopied: boolean,
  watch: Watch,
): ReadableStream<Uint8Array> {
  const ahead = aside?.threads ?? 0;
  const memory: Memory = { values: [], rooms: [] };
  // In order, whichever is done first.
  const underWay: Promise<Uint8Array<ArrayBuffer>>[] = [];
  const printAhead = () => {
    while (underWay.length <= ahead) {
      const page = begun.shift() ?? pages.next().value;
      if (!page) return;
      underWay.push(bytesOf(page, aside, memory));
    }
  };
  let isGone = false;
  return directStream({
    async pull(stream) {
      printAhead();
      try {
        for (let next = underWay.shift(); next && !isGone; next = underWay.shift()) {
          const bytes = await next;
          if (aside) printAhead();
          // Waits until it is sent. Nothing is written to a client that has gone.
          if ((await Promise.race([stream.write(bytes), watch.cut])) === 0) isGone = true;
          else watch.taken();
          if (isCopied) memory.rooms.push(bytes.buffer);
          if (!aside) printAhead();
        }
        watch.over();
        stream.close();
      } finally {
        if (isCopied) free(memory);
      }
    },
    cancel() {
      isGone = true;
      watch.over();
    },
  });
}

/** What was used for one page and is there for the next: fresh memory for each costs more than half of what printing does. */
interface Memory {
  readonly values: ArrayBuffer[];
  readonly rooms: ArrayBuffer[];
}

/** Of answers that have been sent, for the next ones. */
const spare: ArrayBuffer[] = [];
/** Some megabytes. */
const SPARE_MAX = 4;

/** At once: megabytes would lie about until they are collected. */
function free({ values, rooms }: Memory): void {
  while (spare.length < SPARE_MAX) {
    const room = rooms.pop();
    if (!room) break;
    spare.push(room);
  }
  for (const buffer of [...values, ...rooms]) buffer.transfer(0);
}

/** Never fails: the status has been sent, and what cannot be printed aside is printed here. */
async function bytesOf(
  page: Page,
  aside: Aside | undefined,
  memory: Memory,
): Promise<Uint8Array<ArrayBuffer>> {
  if (!aside) return printPage(page, memory.rooms.pop() ?? spare.pop());
  const job = { page: packed(page, memory.values.pop()), room: memory.rooms.pop() ?? spare.pop() };
  const handed = [job.page.values.buffer, ...(job.room ? [job.room] : [])];
  try {
    const { bytes, values } = await aside.perform("print", job, handed);
    memory.values.push(values);
    return bytes;
  } catch {
    // It was told in the log.
    return printPage(page);
  }
}
