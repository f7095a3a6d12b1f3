/**
 * The work that is done aside, in Workers: its input, execution and result. It runs on this thread as well, where there
 * are no Workers (src/aside/aside.ts).
 * A new kind is a member of `Works` and of `WORK`: a function of its job alone, which may take as long as it likes. What it may fail in
 * is part of its answer; what it throws is a fault of ours.
 */
import { printPage } from "../printing/print";
import type { Scanned } from "../replies/scan";
import { buffersOf, isScanned, type LargeReply, scanLarge } from "../replies/slabs";
import { type Checkpointed, checkpoint, type LogOf } from "./checkpoint";
import { type PackedPage, unpacked } from "./packed-page";

/** Job and answer of each kind: whatever survives a structured clone. Large parts belong into buffers, which are handed over uncopied. */
interface Works {
  readonly print: { readonly job: PrintJob; readonly answer: Printed };
  readonly scan: { readonly job: LargeReply; readonly answer: Scanned };
  readonly checkpoint: { readonly job: LogOf; readonly answer: Checkpointed };
}

export interface PrintJob {
  readonly page: PackedPage;
  /** Memory to print it to, where it is large enough. */
  readonly room?: ArrayBuffer | undefined;
}

export interface Printed {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** What the vectors were brought in, for the next. */
  readonly values: ArrayBuffer;
}

export type WorkName = keyof Works;
export type Job<Name extends WorkName> = Works[Name]["job"];
export type Answer<Name extends WorkName> = Works[Name]["answer"];

interface Kind<Job, Answer> {
  readonly perform: (job: Job) => Answer;
  /** Buffers of the answer that are its own alone. */
  readonly buffersOf: (answer: Answer) => ArrayBuffer[];
  readonly isAnswer: (value: unknown) => value is Answer;
}

export const WORK: { readonly [Name in WorkName]: Kind<Job<Name>, Answer<Name>> } = {
  print: {
    perform: ({ page, room }) => ({ bytes: printPage(unpacked(page), room), values: page.values.buffer }),
    buffersOf: ({ bytes, values }) => [bytes.buffer, values],
    isAnswer: (value): value is Printed => typeof value === "object" && value !== null && "bytes" in value,
  },
  scan: { perform: scanLarge, buffersOf, isAnswer: isScanned },
  checkpoint: {
    perform: checkpoint,
    buffersOf: () => [],
    isAnswer: (value): value is Checkpointed =>
      typeof value === "object" && value !== null && "moved" in value,
  },
};

/** What a Worker is sent. */
export interface Order<Name extends WorkName> {
  readonly id: number;
  readonly name: Name;
  readonly job: Job<Name>;
}

/** What it sends back: the answer, or what it broke down with. */
export type Reply =
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly fault: string };
