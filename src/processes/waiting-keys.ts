// Keys for callers that cannot be called back: a plugin's callbacks must answer at once, so a thread asks while they wait.
import { once } from "node:events";
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from "node:worker_threads";
import { StillwaveError } from "../errors.ts";
import type { Introduction } from "./environment.ts";

export interface KeyQuestion {
  /** Which the answer has too. */
  readonly number: number;
  readonly key: string;
  /** Absent: the key's value is asked for. */
  readonly value?: Uint8Array;
  readonly timeoutMs: number;
}

export interface KeyThreadData {
  readonly place: Introduction;
  readonly port: MessagePort;
  /** 1 where an answer is there. */
  readonly turn: Int32Array<SharedArrayBuffer>;
}

/** Beyond the time that a question may take. */
const GRACE_MS = 10_000;

export class WaitingKeys {
  private readonly worker: Worker;
  private readonly port: MessagePort;
  private readonly turn: Int32Array<SharedArrayBuffer>;
  private asked = 0;

  private constructor(worker: Worker, port: MessagePort, turn: Int32Array<SharedArrayBuffer>) {
    this.worker = worker;
    this.port = port;
    this.turn = turn;
  }

  /** Meets the other processes at the port after theirs. @throws StillwaveError where they do not come */
  static async open(group: Introduction): Promise<WaitingKeys> {
    const { port1, port2 } = new MessageChannel();
    const turn = new Int32Array(new SharedArrayBuffer(4));
    const place = { ...group, port: group.port + 1 };
    const data: KeyThreadData = { place, port: port2, turn };
    const isSource = import.meta.url.endsWith(".ts");
    const worker = new Worker(new URL(`./key-thread.${isSource ? "ts" : "js"}`, import.meta.url), {
      execArgv: isSource ? ["--import", new URL("../typescript-in-threads.js", import.meta.url).href] : [],
      workerData: data,
      transferList: [port2],
    });
    worker.unref();
    const failed = once(worker, "error").then(([error]) => {
      throw new StillwaveError(`keys of the processes: ${(error as Error).message}`);
    });
    await Promise.race([once(port1, "message"), failed]);
    failed.catch(() => {});
    port1.unref();
    return new WaitingKeys(worker, port1, turn);
  }

  put(key: string, value: Uint8Array): void {
    this.ask({ key, value, timeoutMs: 0 });
  }

  /** Waits for a value, and this thread with it. undefined: none came in time. */
  get(key: string, timeoutMs: number): Uint8Array | undefined {
    return this.ask({ key, timeoutMs });
  }

  async close(): Promise<void> {
    this.port.close();
    await this.worker.terminate();
  }

  private ask(question: Omit<KeyQuestion, "number">): Uint8Array | undefined {
    const number = this.asked++;
    Atomics.store(this.turn, 0, 0);
    this.port.postMessage({ ...question, number });
    Atomics.wait(this.turn, 0, 0, question.timeoutMs + GRACE_MS);
    for (let next = receiveMessageOnPort(this.port); next; next = receiveMessageOnPort(this.port)) {
      const answer = next.message as { readonly number: number; readonly found?: Uint8Array };
      // others came too late for who asked
      if (answer.number === number) return answer.found;
    }
    return undefined;
  }
}
