// A pool of threads: one task each, a queue, an answer to every task even when a thread dies.
// Not piscina: its 5.3 never answers the task of a thread that dies while it starts ("a thread that dies is an error").
import { Worker } from "node:worker_threads";
import { InternalError, StillwaveError } from "../errors.ts";
import { unexpectedDiskError } from "../files.ts";

/** Threads without work end after this. Long enough to outlive a validation, or the slowest step of a training run. */
const IDLE_MS = 120_000;

/** What a thread posts for every task; `refusal` is the message of a user's mistake. */
export type ThreadAnswer<Result> = { result: Result } | { refusal: string } | { error: string };

/** A thread ended before it answered; the task's owner knows which files it was working on. */
export class ThreadDeath extends Error {}

interface Job<Task, Result> {
  readonly task: Task;
  readonly transfer: readonly ArrayBuffer[];
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

interface Thread<Task, Result> {
  readonly worker: Worker;
  job: Job<Task, Result> | undefined;
  idleTimer: NodeJS.Timeout | undefined;
}

interface ThreadsOptions {
  /** Threads that there may be. */
  readonly most: number;
  readonly idleMs?: number;
  /** What every thread finds in its `workerData`. */
  readonly data?: unknown;
  /** `close` waits for tasks at work: ending a thread inside ONNX Runtime ends the process. */
  readonly endsBetweenTasks?: boolean;
}

interface RunOptions {
  readonly signal?: AbortSignal;
  /** Memory of the task that is handed over instead of copied. */
  readonly transfer?: readonly ArrayBuffer[];
}

/**
 * Threads start when there is work, and end when there has been none for a while. A thread at work keeps the process
 * alive, an idle one does not.
 */
export class Threads<Task, Result> {
  private readonly entry: URL;
  private readonly options: ThreadsOptions;
  private readonly threads = new Set<Thread<Task, Result>>();
  private readonly queue: Job<Task, Result>[] = [];
  private readonly answers = new Set<Promise<Result>>();

  /** @param entry the module that every thread runs, with the extension that the caller has */
  constructor(entry: URL, options: ThreadsOptions) {
    this.entry = entry;
    this.options = options;
  }

  /**
   * Runs a task on the next free thread.
   * @throws ThreadDeath if its thread ends early; the signal's reason if aborted, which ends a thread at work on it.
   */
  run(task: Task, { signal, transfer = [] }: RunOptions = {}): Promise<Result> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    let onAbort = () => {};
    const answer = new Promise<Result>((resolve, reject) => {
      const job: Job<Task, Result> = { task, transfer, resolve, reject };
      onAbort = () => this.abandon(job, signal?.reason);
      this.queue.push(job);
    });
    signal?.addEventListener("abort", onAbort);
    this.answers.add(answer);
    this.assign();
    return answer.finally(() => {
      this.answers.delete(answer);
      signal?.removeEventListener("abort", onAbort);
    });
  }

  /** Ends all threads; tasks not answered yet are rejected. */
  async close(): Promise<void> {
    for (const job of this.queue.splice(0)) job.reject(new ThreadDeath("the threads were closed"));
    if (this.options.endsBetweenTasks) await Promise.allSettled(this.answers);
    await Promise.all([...this.threads].map(({ worker }) => worker.terminate()));
  }

  private assign(): void {
    while (this.queue.length > 0) {
      let thread = [...this.threads].find(({ job }) => job === undefined);
      if (!thread) {
        if (this.threads.size >= this.options.most) return;
        thread = this.start();
      }
      clearTimeout(thread.idleTimer);
      const job = this.queue.shift()!;
      thread.job = job;
      thread.worker.ref();
      thread.worker.postMessage(job.task, job.transfer);
    }
  }

  private start(): Thread<Task, Result> {
    const preload = ["--import", new URL("../typescript-in-threads.js", import.meta.url).href];
    const worker = new Worker(this.entry, {
      execArgv: this.entry.pathname.endsWith(".ts") ? preload : [],
      workerData: this.options.data,
    });
    const thread: Thread<Task, Result> = { worker, job: undefined, idleTimer: undefined };
    let cause: Error | undefined;
    worker.on("message", (answer: ThreadAnswer<Result>) => this.answered(thread, answer));
    worker.on("error", (error) => {
      cause = error;
    });
    worker.on("exit", (code) => {
      clearTimeout(thread.idleTimer);
      this.threads.delete(thread);
      // a refusal of the file system, as of a limit of open files, is the user's to mend
      const refused = unexpectedDiskError(cause);
      const death = new ThreadDeath(`exit code ${code}${cause ? `: ${cause.message}` : ""}`);
      thread.job?.reject(refused instanceof StillwaveError ? refused : death);
      thread.job = undefined;
      this.assign();
    });
    this.threads.add(thread);
    return thread;
  }

  private answered(thread: Thread<Task, Result>, answer: ThreadAnswer<Result>): void {
    const { job } = thread;
    thread.job = undefined;
    thread.worker.unref();
    thread.idleTimer = setTimeout(() => this.retire(thread), this.options.idleMs ?? IDLE_MS).unref();
    if ("result" in answer) job?.resolve(answer.result);
    else if ("refusal" in answer) job?.reject(new StillwaveError(answer.refusal));
    else job?.reject(new InternalError(answer.error));
    this.assign();
  }

  /** Ends an idle thread. It is forgotten first: until it has exited, it must not be given work. */
  private retire(thread: Thread<Task, Result>): void {
    this.threads.delete(thread);
    void thread.worker.terminate();
  }

  private abandon(job: Job<Task, Result>, reason: unknown): void {
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

/** The entry of threads beside a module: built, both are .js; where the sources run as they are, both are .ts. */
export const entryBeside = (name: string, moduleUrl: string): URL =>
  new URL(`./${name}${moduleUrl.endsWith(".ts") ? ".ts" : ".js"}`, moduleUrl);

/** What a thread answers for the outcome of `work`. */
export async function answerOf<Result>(work: () => Promise<Result>): Promise<ThreadAnswer<Result>> {
  try {
    return { result: await work() };
  } catch (error) {
    if (error instanceof StillwaveError) return { refusal: error.message };
    return { error: (error as Error).stack ?? String(error) };
  }
}
