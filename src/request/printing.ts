/**
 * Step 9: turns an answer into bytes. A small answer is printed at once, or while it is sent; a larger one page by page as the client reads it, so
 * that the whole text is never held in memory. Other requests do not wait for a large answer: the event loop runs between two pages, or, where
 * machine code for printing is missing, worker threads print the pages.
 */
import type { Aside } from "../aside/aside";
import { packed } from "../aside/packed-page";
import { directStream, UNWATCHED, type Watch } from "../printing/direct-stream";
import { bytesOf, isQuick, printPage } from "../printing/print";
import { PAGE_BYTES, type Page, pagesOf, type Script } from "../printing/script";

/** A small answer as bytes, or one that is still to be printed. */
export type Body = Uint8Array<ArrayBuffer> | Printing;

export interface Printing {
  /** The most memory held until the answer is read to its end: the vectors that are still to be printed, and the pages; 0 for a small answer. */
  readonly heldBytes: number;
  /** @param reader a server copies what it cannot send at once, so the page memory is reused; other readers keep it */
  stream(reader: "server" | "other", watch?: Watch): ReadableStream<Uint8Array>;
}

/** Smaller answers are printed at once. */
const SHARED_BYTES_MIN = 12 * 1024;
/** Small compared with what a connection holds anyway. */
const SHARED_BYTES_MAX = 64 * 1024;

/** This many pages take two or three milliseconds together, with turns of the event loop between them: less than passing them to a thread. */
const PAGES_HERE_MAX = 2;

/** The threads that print a larger answer's pages. */
interface Way {
  /** How many pages are printed while one is being sent. */
  readonly ahead: number;
  /** Never fails, because the status has already been sent. */
  print(page: Page, memory: Memory): Promise<Uint8Array<ArrayBuffer>>;
}

/**
 * @param vectorBytes size of all vectors in the script
 * @param quick whether printing a page is cheaper than passing it to a thread
 * @param over called once a large answer was printed, or its client has gone: it needs its vectors no more
 */
export function printed(
  script: Script,
  aside: Aside,
  vectorBytes = 0,
  quick = isQuick(),
  over = () => {},
): Body {
  const pages = pagesOf(script);
  const begun: Page[] = [];
  for (let next = pages.next(); !next.done; next = pages.next()) {
    begun.push(next.value);
    if (begun.length > PAGES_HERE_MAX) break;
  }
  const [first] = begun;
  if (first === undefined) return new Uint8Array();
  if (begun.length === 1) {
    const bytes = bytesOf(first);
    return bytes < SHARED_BYTES_MIN || bytes > SHARED_BYTES_MAX ? printPage(first) : inShared(first);
  }
  const isSmall = begun.length <= PAGES_HERE_MAX;
  const way = isSmall ? here() : quick ? here(aside.slice) : byOthers(aside);
  return {
    heldBytes: vectorBytes + (isSmall ? begun.length : 2 + way.ahead) * PAGE_BYTES,
    stream: (reader, watch = UNWATCHED) => inPages(begun, pages, way, reader === "server", watch, over),
  };
}

/** All answers of one text are printed into this memory, one after the other: as garbage they would be a fifth of what a request leaves. */
let shared = new ArrayBuffer(0);

const inShared = (page: Page): Printing => ({
  heldBytes: 0,
  stream: (reader) =>
    directStream({
      pull(stream) {
        if (reader === "server") {
          // Printing may have moved it to larger memory, or to less.
          if (shared.byteLength < SHARED_BYTES_MAX) shared = new ArrayBuffer(SHARED_BYTES_MAX);
          const bytes = printPage(page, shared);
          // Copies them before it returns.
          stream.write(bytes);
          shared = bytes.buffer;
        } else stream.write(printPage(page));
        stream.end();
      },
    }),
});

function inPages(
  begun: Page[],
  pages: Iterator<Page>,
  way: Way,
  isCopied: boolean,
  watch: Watch,
  over: () => void,
): ReadableStream<Uint8Array> {
  const memory: Memory = { values: [], rooms: [] };
  // In order, whichever page is finished first.
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
          // Waits until the page is sent. Nothing is written to a client that has disconnected.
          if ((await Promise.race([stream.write(bytes), watch.cut])) === 0) isGone = true;
          else watch.taken();
          if (isCopied) memory.rooms.push(bytes.buffer);
          if (way.ahead === 0) printAhead();
        }
        watch.over();
        stream.close();
      } finally {
        if (isCopied) free(memory);
        over();
      }
    },
    cancel() {
      isGone = true;
      watch.over();
    },
  });
}

/** Page memory for reuse: allocating fresh memory per page costs more than half as much as printing. */
interface Memory {
  readonly values: ArrayBuffer[];
  readonly rooms: ArrayBuffer[];
}

/** Memory of answers that have been sent, for the next ones. */
const spare: ArrayBuffer[] = [];
/** A few megabytes in total. */
const SPARE_MAX = 4;

/** Keeps some memory for reuse and frees the rest at once, without waiting for garbage collection. */
function free({ values, rooms }: Memory): void {
  while (spare.length < SPARE_MAX) {
    const room = rooms.pop();
    if (!room) break;
    spare.push(room);
  }
  for (const buffer of [...values, ...rooms]) buffer.transfer(0);
}

/** @param slice before each page; left out: the event loop does not run in between */
const here = (slice?: () => Promise<void>): Way => ({
  ahead: 0,
  async print(page, memory) {
    await slice?.();
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
      // The error was logged; this page is printed on the main thread instead.
      return printPage(page);
    }
  },
});
