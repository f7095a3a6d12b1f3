/**
 * Step 9: from what an answer says to its bytes. A small one is printed at once, a larger one page by page as the client takes it, so that
 * it is never held as a whole. No other request waits for the pages of a large one: the event loop turns between two pages, or, where
 * there is no machine code for it, they are printed aside.
 */
import type { Aside } from "../aside/aside";
import { packed } from "../aside/packed-page";
import { directStream, UNWATCHED, type Watch } from "../printing/direct-stream";
import { isQuick, printPage } from "../printing/print";
import { PAGE_BYTES, type Page, pagesOf, type Script } from "../printing/script";

/** A small answer, or a large one that is still to be printed. */
export type Body = Uint8Array<ArrayBuffer> | Printing;

export interface Printing {
  /** At most, until it is read to its end: of the vectors that are still to be printed, and of the pages. */
  readonly heldBytes: number;
  /** @param reader a server takes copies of what it cannot send at once, so that the same memory is printed to again; others keep it */
  stream(reader: "server" | "other", watch?: Watch): ReadableStream<Uint8Array>;
}

/** So many pages take two or three milliseconds in all, with turns of the event loop between them: less than handing them to a thread. */
const PAGES_HERE_MAX = 2;

/** The threads that print a larger answer's pages. */
interface Way {
  /** Pages that are printed while one is being sent. */
  readonly ahead: number;
  /** Never fails: the status has been sent. */
  print(page: Page, memory: Memory): Promise<Uint8Array<ArrayBuffer>>;
}

/**
 * @param vectorBytes of all that the script says
 * @param quick whether a page takes less than to hand it over
 */
export function printed(script: Script, aside: Aside, vectorBytes = 0, quick = isQuick()): Body {
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
  const way = isSmall ? here() : quick ? here(aside.turn) : byOthers(aside);
  return {
    heldBytes: vectorBytes + (isSmall ? begun.length : 2 + way.ahead) * PAGE_BYTES,
    stream: (reader, watch = UNWATCHED) => inPages(begun, pages, way, reader === "server", watch),
  };
}

function inPages(
  begun: Page[],
  pages: Iterator<Page>,
  way: Way,
  isCopied: boolean,
  watch: Watch,
): ReadableStream<Uint8Array> {
  const memory: Memory = { values: [], rooms: [] };
  // In order, whichever is done first.
  const underWay: Promise<Uint8Array<ArrayBuffer>>[] = [];
  const printAhead = () => {
    while (underWay.length <= way.ahead) {
      const page = begun.shift() ?? pages.next().value;
      if (!page) return;
      underWay.push(way.print(page, memory));
    }
  };
  let isGone = false;
  return directStream({
    async pull(stream) {
      printAhead();
      try {
        for (let next = underWay.shift(); next && !isGone; next = underWay.shift()) {
          const bytes = await next;
          if (way.ahead > 0) printAhead();
          // Waits until it is sent. Nothing is written to a client that has gone.
          if ((await Promise.race([stream.write(bytes), watch.cut])) === 0) isGone = true;
          else watch.taken();
          if (isCopied) memory.rooms.push(bytes.buffer);
          if (way.ahead === 0) printAhead();
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

/** Page memory for reuse: fresh memory for each page costs more than half as much as printing. */
interface Memory {
  readonly values: ArrayBuffer[];
  readonly rooms: ArrayBuffer[];
}

/** Of answers that have been sent, for the next ones. */
const spare: ArrayBuffer[] = [];
/** Some megabytes. */
const SPARE_MAX = 4;

/** Keeps some for reuse and frees the rest at once, without waiting for garbage collection. */
function free({ values, rooms }: Memory): void {
  while (spare.length < SPARE_MAX) {
    const room = rooms.pop();
    if (!room) break;
    spare.push(room);
  }
  for (const buffer of [...values, ...rooms]) buffer.transfer(0);
}

/** @param turn of the event loop, that others have before each page; left out: none */
const here = (turn?: () => Promise<void>): Way => ({
  ahead: 0,
  async print(page, memory) {
    await turn?.();
    return printPage(page, memory.rooms.pop() ?? spare.pop());
  },
});

const byOthers = (aside: Aside): Way => ({
  ahead: aside.threads,
  async print(page, memory) {
    const job = { page: packed(page, memory.values.pop()), room: memory.rooms.pop() ?? spare.pop() };
    const handed = [job.page.values.buffer, ...(job.room ? [job.room] : [])];
    try {
      const { bytes, values } = await aside.perform("print", job, handed);
      memory.values.push(values);
      return bytes;
    } catch {
      // It was logged; the page is printed on this thread instead.
      return printPage(page);
    }
  },
});
