/**
 * Runs work that would block the event loop in a few Workers with a queue of jobs. A Worker starts when no other is free for a job, and a dead one is
 * replaced at the next job. To add a kind of work, see work.ts.
 */
import type { EndSignal } from "../domain/ending";
import { GatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";
import { isExecutable } from "../machine/executable";
import { type Answer, type Job, type Order, type Reply, WORK, type WorkName } from "./work";

export interface Aside {
  /**
   * How many jobs run at the same time. A caller with many jobs should queue only a few more than this, and the next ones as these finish, as
   * queued jobs are in memory.
   */
  readonly threads: number;
  /**
   * @param handed buffers of the job that are transferred, and cannot be used here afterwards
   * @param signal removes a queued job; a running one is finished, and its result dropped
   * @throws GatewayError internal if the work failed or its Worker died, unavailable after `close`; the signal's reason
   */
  perform<Name extends WorkName>(
    name: Name,
    job: Job<Name>,
    handed?: readonly ArrayBuffer[],
    signal?: EndSignal,
  ): Promise<Answer<Name>>;
  /** Resolves when the next slice of work on this thread may run: in a later turn of the event loop. */
  slice(): Promise<void>;
  /** Ends the Workers. Unfinished jobs are rejected. */
  close(): void;
}

/** In the executable a Worker's file is identified by the path under which the build listed it (.ci/build.ts), elsewhere by its URL. */
const WORKER = isExecutable() ? "./src/aside/worker.ts" : new URL("./worker.ts", import.meta.url).href;

/** A second job waits at the Worker itself, which then need not wait for this thread between two jobs. */
const JOBS_EACH = 2;

interface Task {
  readonly id: number;
  readonly send: (worker: Worker) => void;
  readonly done: (reply: Reply) => void;
  readonly failed: (error: unknown) => void;
}

/**
 * @param outside `threads`: how many Workers there may be; 0: jobs run on this thread, each in a turn of the event loop
 * @param address the file that the Workers run
 */
export function openAside(
  outside: Pick<Outside, "threads" | "turn" | "slice" | "log">,
  address = WORKER,
): Aside {
  const { threads = 0, turn, slice = turn } = outside;
  const workers = new Map<Worker, Map<number, Task>>();
  const line: Task[] = [];
  let lastId = 0;
  let isClosed = false;

  function start(): Worker {
    const worker = new Worker(address, { smol: true });
    workers.set(worker, new Map());
    worker.onmessage = ({ data }: MessageEvent<Reply>) => {
      const tasks = workers.get(worker);
      const task = tasks?.get(data.id);
      tasks?.delete(data.id);
      dispatch();
      task?.done(data);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      bury(worker, event.message);
    };
    worker.addEventListener("close", () => bury(worker, "it exited unexpectedly"));
    return worker;
  }

  /** Fails the jobs of a dead Worker, and removes it. */
  function bury(worker: Worker, why: string): void {
    const tasks = workers.get(worker);
    if (!workers.delete(worker)) return;
    worker.terminate();
    outside.log("error", "a thread of the gateway failed", { cause: why, jobs: tasks?.size });
    for (const { failed } of tasks?.values() ?? []) failed(broken(why));
    dispatch();
  }

  function dispatch(): void {
    while (line.length > 0) {
      const [worker, tasks] = leastBusy();
      if (!worker || !tasks) return;
      const task = line.shift();
      if (!task) return;
      tasks.set(task.id, task);
      task.send(worker);
    }
  }

  /** An idle Worker, a new one, or the one with the fewest jobs; none if all have JOBS_EACH. */
  function leastBusy(): [Worker, Map<number, Task>] | [] {
    const [least] = [...workers].sort(([, a], [, b]) => a.size - b.size);
    if (least && least[1].size === 0) return least;
    if (workers.size < threads) {
      const worker = start();
      return [worker, workers.get(worker) ?? new Map()];
    }
    return least && least[1].size < JOBS_EACH ? least : [];
  }

  function inWorker<Name extends WorkName>(
    name: Name,
    job: Job<Name>,
    handed: readonly ArrayBuffer[],
    signal: EndSignal | undefined,
  ): Promise<Answer<Name>> {
    lastId += 1;
    const id = lastId;
    return new Promise((resolve, reject) => {
      const leave = () => {
        const place = line.indexOf(task);
        if (place !== -1) line.splice(place, 1);
        reject(signal?.reason);
      };
      const settled = () => signal?.removeEventListener("abort", leave);
      const task: Task = {
        id,
        send: (worker) => worker.postMessage({ id, name, job } satisfies Order<Name>, [...handed]),
        done(reply) {
          settled();
          if ("fault" in reply) reject(broken(reply.fault));
          else if (WORK[name].isAnswer(reply.answer)) resolve(reply.answer);
          else reject(broken(`it answered another request than "${name}"`));
        },
        failed(error) {
          settled();
          reject(error);
        },
      };
      signal?.addEventListener("abort", leave);
      line.push(task);
      dispatch();
    });
  }

  return {
    threads,
    async perform(name, job, handed = [], signal) {
      signal?.throwIfAborted();
      if (isClosed) throw closed();
      if (threads > 0) return inWorker(name, job, handed, signal);
      await outside.turn?.();
      try {
        return WORK[name].perform(job);
      } catch (thrown) {
        throw broken(String(thrown));
      }
    },
    slice: async () => slice?.(),
    close() {
      isClosed = true;
      const tasks = [...line, ...[...workers.values()].flatMap((own) => [...own.values()])];
      line.length = 0;
      for (const worker of workers.keys()) worker.terminate();
      workers.clear();
      for (const { failed } of tasks) failed(closed());
    },
  };
}

const broken = (cause: string) => new GatewayError("internal", "A thread of the gateway failed.", { cause });
const closed = () => new GatewayError("unavailable", "The gateway is shutting down.");
