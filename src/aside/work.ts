/**
 * The work that Workers do: its input, execution and result. It runs on this thread too if there are no Workers (src/aside/aside.ts).
 * A new kind is a member of `Works` and of `WORK`: a function of its job only, which may take as long as it needs. Expected failures
 * are part of its answer; an exception is a bug of ours.
 */
import { printPage } from "../printing/print";
import type { Scanned } from "../replies/scan";
import { buffersOf, isScanned, type LargeReply, scanLarge } from "../replies/slabs";
import { type Checkpointed, checkpoint, type LogOf } from "./checkpoint";
import { type PackedPage, unpacked } from "./packed-page";

/** Job and answer of each kind: anything that can be cloned. Large parts should be buffers, which are transferred without a copy. */
interface Works {
  readonly print: { readonly job: PrintJob; readonly answer: Printed };
  readonly scan: { readonly job: LargeReply; readonly answer: Scanned };
  readonly checkpoint: { readonly job: LogOf; readonly answer: Checkpointed };
}

export interface PrintJob {
  readonly page: PackedPage;
  /** Memory to print into, if it is large enough. */
  readonly room?: ArrayBuffer | undefined;
}

export interface Printed {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The buffer in which the vectors came, for reuse. */
  readonly values: ArrayBuffer;
}

export type WorkName = keyof Works;
export type Job<Name extends WorkName> = Works[Name]["job"];
export type Answer<Name extends WorkName> = Works[Name]["answer"];

interface Kind<Job, Answer> {
  readonly perform: (job: Job) => Answer;
  /** Buffers that only the answer uses. */
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

/** The message to a Worker. */
export interface Order<Name extends WorkName> {
  readonly id: number;
  readonly name: Name;
  readonly job: Job<Name>;
}

/** The Worker's message back: the answer, or its failure. */
export type Reply =
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly fault: string };
