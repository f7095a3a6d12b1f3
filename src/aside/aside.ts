/**
 * Work that would hold up the event loop, done aside: a few Workers and the line of jobs before them. A Worker starts when there is a job
 * that no other has time for, and one that dies is replaced at the next. What can be done is said in work.ts.
 */
import type { EndSignal } from "../domain/ending";
import { GatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";
import { isExecutable } from "../machine/executable";
import { type Answer, type Job, type Order, type Reply, WORK, type WorkName } from "./work";

export interface Aside {
  /**
   * Jobs that are done at the same time. A caller with a long list of jobs orders a few more than this, and the next ones as these are
   * done: what waits in line is held in memory.
   */
  readonly threads: number;
  /**
   * @param handed buffers of the job that go over as they are, and are empty here from then on
   * @param signal removes a queued job; a running one is finished and its result dropped
   * @throws GatewayError internal where the work broke down or its Worker died, unavailable once closed; the signal's reason
   */
  perform<Name extends WorkName>(
    name: Name,
    job: Job<Name>,
    handed?: readonly ArrayBuffer[],
    signal?: EndSignal,
  ): Promise<Answer<Name>>;
  /** Resolves in the next turn of the event loop: between slices of what is done on this thread after all. */
  turn(): Promise<void>;
  /** Ends the Workers. What was still under way is rejected. */
  close(): void;
}

/** In the executable a Worker's file is identified by the path under which the build listed it (.ci/build.ts), elsewhere by its URL. */
const WORKER = isExecutable() ? "./src/aside/worker.ts" : new URL("./worker.ts", import.meta.url).href;

/** A second one waits at the Worker itself, so that it need not wait for this thread between two. */
const JOBS_EACH = 2;

interface Task {
  readonly id: number;
  readonly send: (worker: Worker) => void;
  readonly done: (reply: Reply) => void;
  readonly failed: (error: unknown) => void;
}

/**
 * @param outside says how many threads there may be; none: all is done on this one, each job in a turn of the event loop
 * @param address of the file that the Workers run
 */
export function openAside(outside: Pick<Outside, "threads" | "turn" | "log">, address = WORKER): Aside {
  const { threads = 0 } = outside;
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

  /** A Worker that died fails what it had and is forgotten. */
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

  /** An idle one, else a new one, else the one with the least to do; none where all have enough. */
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
    turn: async () => outside.turn?.(),
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
