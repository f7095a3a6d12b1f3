/**
 * Step 9: from what an answer says to its bytes. A small one is printed at once; a large one page by page as the client takes it, and what
 * of it takes long is printed aside, so that nobody else's request waits for it.
 */
import type { Aside } from "./aside/aside";
import { packed } from "./aside/packed-page";
import { printPage } from "./dialects/print";
import { type Page, pagesOf, type Script } from "./dialects/script";

export type Body = Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;

export function printed(script: Script, aside: Aside): Body {
  const pages = pagesOf(script);
  const first = pages.next();
  const second = pages.next();
  if (first.done) return new Uint8Array();
  if (second.done) return printPage(first.value);
  return inPages([first.value, second.value], pages, aside);
}

function inPages(begun: Page[], pages: Iterator<Page>, aside: Aside): ReadableStream<Uint8Array> {
  // In order, whichever is done first.
  const underWay: Promise<Uint8Array>[] = [];
  const printAhead = () => {
    while (underWay.length <= aside.threads) {
      const page = begun.shift() ?? pages.next().value;
      if (!page) return;
      underWay.push(bytesOf(page, aside));
    }
  };
  return new ReadableStream(
    {
      async pull(stream) {
        printAhead();
        const next = underWay.shift();
        if (!next) return stream.close();
        stream.enqueue(await next);
        // While these are sent.
        printAhead();
      },
      cancel() {
        begun.length = 0;
        pages.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}

/** Never fails: the status has been sent, and what cannot be printed aside is printed here. */
async function bytesOf(page: Page, aside: Aside): Promise<Uint8Array> {
  // To copy base64 there and back would take as long as to print it.
  if (page.encoding === "base64") return printPage(page);
  const job = packed(page);
  return aside.perform("print", job, [job.values.buffer]).catch(() => printPage(page));
}
