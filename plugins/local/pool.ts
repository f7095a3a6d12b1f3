/**
 * A pool of Workers with a queue. An idle Worker takes a share of the call that had the fewest shares taken, so that a single query
 * waits for at most one share of a large call. Workers are started on demand.
 * The main thread only passes messages on; anything that takes time belongs in worker.ts.
 */
import type { EmbedCall, FailureAbout, Host } from "../../src/plugin";
import { isExecutable } from "./executable";
import type { Answer, Embedded, Job, Setup } from "./messages";
import { divide, merge } from "./shares";

/**
 * In the executable an entry point keeps its path from the repository's root, and `import.meta.url` is the executable's own:
 * so the two cases need different paths.
 */
const WORKER = isExecutable() ? "./plugins/local/worker.ts" : new URL("./worker.ts", import.meta.url).href;

type PooledCall = Pick<EmbedCall, "inputs" | "longInput" | "signal">;

/** A call in progress. */
interface Running {
  /** Shares that no Worker has taken yet, in their order. */
  readonly waiting: Task[];
  taken: number;
}

interface Task {
  readonly call: Running;
  readonly job: Job;
  /** The position in the call of the job's first input. */
  readonly first: number;
  readonly promise: Promise<Embedded>;
  readonly resolve: (embedded: Embedded) => void;
  readonly reject: (failure: Error) => void;
}

export class Pool {
  private readonly idle: Worker[] = [];
  private readonly busy = new Map<Worker, Task>();
  /** Calls with waiting shares, from the oldest to the newest. */
  private readonly calls = new Set<Running>();
  private closed = false;

  private choosing: Promise<Setup> | undefined;
  private setup: Setup | undefined;

  /** @param size the most Workers; @param choose called once, at the first call, for each Worker's first message; @param failure the host's */
  constructor(
    private readonly size: number,
    private readonly choose: () => Promise<Setup>,
    private readonly failure: Host["failure"],
  ) {}

  /**
   * Embeds a call's inputs, divided among the Workers.
   * Rejects with the Worker's refusal, `unavailable` when the Worker died or the pool is closed, `timeout` once the signal fires: waiting
   * shares are then dropped, and shares in progress end after their present batch.
   */
  async run(call: PooledCall): Promise<Embedded> {
    this.choosing ??= this.choose();
    try {
      this.setup = await this.choosing;
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw this.failure("unavailable", `The kernel set in the options cannot be used here: ${reason}.`, {
        cause,
      });
    }
    return this.enqueue(call);
  }

  private async enqueue({ inputs, longInput, signal }: PooledCall): Promise<Embedded> {
    if (this.closed) throw this.failure("unavailable", "The local model is closed.");
    const abandoned = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
    const shares = divide(inputs, this.size);
    const call: Running = { waiting: [], taken: 0 };
    const tasks = shares.map(
      (share): Task => ({
        ...Promise.withResolvers<Embedded>(),
        call,
        job: { inputs: share.inputs, longInput, abandoned },
        first: share.first,
      }),
    );
    const abandon = () => {
      Atomics.store(abandoned, 0, 1);
      this.calls.delete(call);
      const failure = this.failure("timeout", "The call was cancelled before the local model answered.", {
        cause: signal.reason,
      });
      for (const task of tasks) task.reject(failure);
    };
    if (signal.aborted) abandon();
    else {
      signal.addEventListener("abort", abandon, { once: true });
      call.waiting.push(...tasks);
      this.calls.add(call);
      this.dispatch();
    }
    const answers = await Promise.allSettled(tasks.map(({ promise }) => promise));
    signal.removeEventListener("abort", abandon);
    return merge(
      shares,
      answers.map((answer) => {
        if (answer.status === "rejected") throw answer.reason;
        return answer.value;
      }),
    );
  }

  /** Stops the Workers. Calls in progress are rejected. */
  close(): void {
    this.closed = true;
    const failure = this.failure("unavailable", "The local model was closed.");
    for (const worker of [...this.idle, ...this.busy.keys()]) worker.terminate();
    const waiting = [...this.calls].flatMap((call) => call.waiting);
    for (const task of [...waiting, ...this.busy.values()]) task.reject(failure);
    this.idle.length = 0;
    this.calls.clear();
    this.busy.clear();
  }

  private dispatch(): void {
    for (let call = this.next(); call !== undefined; call = this.next()) {
      const worker = this.idle.pop() ?? (this.busy.size < this.size ? this.start() : undefined);
      if (worker === undefined) return;
      const task = call.waiting.shift();
      if (call.waiting.length === 0) this.calls.delete(call);
      if (task === undefined) return;
      call.taken += 1;
      this.busy.set(worker, task);
      worker.postMessage(task.job);
    }
  }

  /** The next call to serve: the oldest of those that had the fewest shares taken. */
  private next(): Running | undefined {
    let next: Running | undefined;
    for (const call of this.calls) {
      if (next === undefined || call.taken < next.taken) next = call;
    }
    return next;
  }

  private start(): Worker {
    const worker = new Worker(WORKER);
    worker.postMessage(this.setup);
    worker.onmessage = ({ data }: MessageEvent<Answer>) => this.finish(worker, data);
    worker.onerror = ({ message }) => this.bury(worker, message);
    worker.addEventListener("close", () => this.bury(worker, "it exited unexpectedly"));
    return worker;
  }

  private finish(worker: Worker, answer: Answer): void {
    const task = this.busy.get(worker);
    if (task === undefined) return; // closed meanwhile
    this.busy.delete(worker);
    this.idle.push(worker);
    if (answer.kind === "embedded") task.resolve(answer);
    // An abandoned task was already rejected when its signal fired.
    else if (answer.kind === "refused") {
      const failure = this.failure(answer.failure, answer.message, placed(answer.about, task.first));
      // The call has failed, so its remaining shares are dropped.
      for (const refused of [task, ...task.call.waiting]) refused.reject(failure);
      this.calls.delete(task.call);
    }
    this.dispatch();
  }

  /** A Worker that died fails its job and is removed; the next job starts another one. */
  private bury(worker: Worker, why: string): void {
    const task = this.busy.get(worker);
    this.busy.delete(worker);
    const place = this.idle.indexOf(worker);
    if (place !== -1) this.idle.splice(place, 1);
    worker.terminate();
    task?.reject(this.failure("unavailable", `The local model's thread failed: ${why}`));
    if (!this.closed) this.dispatch();
  }
}

/** A Worker numbers inputs from the first of its share. */
function placed(about: FailureAbout, first: number): FailureAbout {
  return about.input === undefined ? about : { ...about, input: about.input + first };
}
