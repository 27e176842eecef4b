// A pool of decoding threads: one task each, a queue, an answer to every task even when a thread dies.
// Not piscina: its 5.3 never answers the task of a thread that dies while it starts ("a thread that dies is an error").
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { InternalError } from "../errors.ts";
import type { DecodedBatch, PlannedBatch, ProbeResult } from "./corpus.types.ts";
import type { Keeping } from "./kept/keeping.ts";

/** Threads without work end after this. Long enough to outlive a validation, or the slowest step of a training run. */
const IDLE_MS = 120_000;

export type ThreadTask = { kind: "batch"; plan: PlannedBatch; keeping?: Keeping } | { kind: "probe"; path: string };
type ThreadResult = DecodedBatch | ProbeResult;
export type ThreadAnswer = { result: ThreadResult } | { error: string };

/** A thread ended before it answered; the task's owner knows which files it was working on. */
export class ThreadDeath extends Error {}

interface Job {
  readonly task: ThreadTask;
  readonly resolve: (result: ThreadResult) => void;
  readonly reject: (error: unknown) => void;
}

interface Thread {
  readonly worker: Worker;
  job: Job | undefined;
  idleTimer: NodeJS.Timeout | undefined;
}

/**
 * Threads start when there is work, and end when there has been none for a while. A thread at work keeps the process
 * alive, an idle one does not.
 */
export class DecodingThreads {
  private readonly most: number;
  private readonly idleMs: number;
  private readonly threads = new Set<Thread>();
  private readonly queue: Job[] = [];

  constructor(most: number, idleMs = IDLE_MS) {
    this.most = most;
    this.idleMs = idleMs;
  }

  /**
   * Runs a task on the next free thread.
   * @throws ThreadDeath if its thread ends early; the signal's reason if aborted, which ends a thread at work on it.
   */
  run(task: ThreadTask, signal?: AbortSignal): Promise<ThreadResult> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    let onAbort = () => {};
    const answer = new Promise<ThreadResult>((resolve, reject) => {
      const job: Job = { task, resolve, reject };
      onAbort = () => this.abandon(job, signal?.reason);
      this.queue.push(job);
    });
    signal?.addEventListener("abort", onAbort);
    this.assign();
    return answer.finally(() => signal?.removeEventListener("abort", onAbort));
  }

  /** Ends all threads; tasks not answered yet are rejected. */
  async close(): Promise<void> {
    for (const job of this.queue.splice(0)) job.reject(new ThreadDeath("the decoding threads were closed"));
    await Promise.all([...this.threads].map(({ worker }) => worker.terminate()));
  }

  private assign(): void {
    while (this.queue.length > 0) {
      let thread = [...this.threads].find(({ job }) => job === undefined);
      if (!thread) {
        if (this.threads.size >= this.most) return;
        thread = this.start();
      }
      clearTimeout(thread.idleTimer);
      thread.job = this.queue.shift()!;
      thread.worker.ref();
      thread.worker.postMessage(thread.job.task);
    }
  }

  private start(): Thread {
    // built, this file and its neighbour are .js; where the sources run as they are, both are .ts
    const extension = extname(fileURLToPath(import.meta.url));
    const preload = ["--import", new URL("./typescript-in-threads.js", import.meta.url).href];
    const worker = new Worker(new URL(`./worker${extension}`, import.meta.url), {
      execArgv: extension === ".ts" ? preload : [],
    });
    const thread: Thread = { worker, job: undefined, idleTimer: undefined };
    let cause = "";
    worker.on("message", (answer: ThreadAnswer) => this.answered(thread, answer));
    worker.on("error", (error) => {
      cause = `: ${error.message}`;
    });
    worker.on("exit", (code) => {
      clearTimeout(thread.idleTimer);
      this.threads.delete(thread);
      thread.job?.reject(new ThreadDeath(`exit code ${code}${cause}`));
      thread.job = undefined;
      this.assign();
    });
    this.threads.add(thread);
    return thread;
  }

  private answered(thread: Thread, answer: ThreadAnswer): void {
    const { job } = thread;
    thread.job = undefined;
    thread.worker.unref();
    thread.idleTimer = setTimeout(() => this.retire(thread), this.idleMs).unref();
    if ("result" in answer) job?.resolve(answer.result);
    else job?.reject(new InternalError(answer.error));
    this.assign();
  }

  /** Ends an idle thread. It is forgotten first: until it has exited, it must not be given work. */
  private retire(thread: Thread): void {
    this.threads.delete(thread);
    void thread.worker.terminate();
  }

  private abandon(job: Job, reason: unknown): void {
    const waiting = this.queue.indexOf(job);
    if (waiting >= 0) this.queue.splice(waiting, 1);
    for (const thread of this.threads) {
      if (thread.job !== job) continue;
      thread.job = undefined;
      this.retire(thread);
    }
    job.reject(reason);
  }
}
