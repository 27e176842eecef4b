// The page's side of the worker: one call a request, with a promise for its answer.
import type { Answers, Numbered, Recognised, Reply, Request, Started } from "./protocol.ts";

/** Where ONNX Runtime's files lie. */
const ENGINE = new URL("ort/", document.baseURI).href;

interface Pending {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** A worker and its engine, which keeps its settings for life: another device is another one. */
export class Engine {
  private readonly worker: Worker;
  private readonly pending = new Map<number, Pending>();
  private sent = 0;
  /** Told what is heard while somebody speaks. */
  onHeard: (heard: Recognised) => void = () => {};

  constructor() {
    this.worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    this.worker.onmessage = ({ data }: MessageEvent<Reply>) => this.receive(data);
    this.worker.onerror = (event) =>
      this.failAll(new Error(`The worker failed: ${event.message || "it did not load"}.`));
  }

  start(device: "auto" | "wasm" | "webgpu"): Promise<Started> {
    return this.ask({ type: "start", device, wasmPaths: ENGINE });
  }

  ask<R extends Request>(request: R, transfer: Transferable[] = []): Promise<Answers[R["type"]]> {
    const id = ++this.sent;
    return new Promise((resolve, reject) => {
      this.pending.set(id, { resolve: resolve as Pending["resolve"], reject });
      this.worker.postMessage({ ...request, id } satisfies Numbered, transfer);
    });
  }

  end(): void {
    this.worker.terminate();
    this.failAll(new Error("another device was chosen"));
  }

  private receive(reply: Reply): void {
    if (reply.type === "heard") {
      this.onHeard(reply);
      return;
    }
    const waiting = this.pending.get(reply.id);
    this.pending.delete(reply.id);
    if (reply.type === "answer") waiting?.resolve(reply.value);
    else waiting?.reject(new Error(reply.message));
  }

  private failAll(error: Error): void {
    for (const { reject } of this.pending.values()) reject(error);
    this.pending.clear();
  }
}
