// Arrays that stay on the devices, by name: programs read them, replace them, and are fed the rest.
import { InternalError } from "../../errors.ts";
import type { Port, Program } from "../../stablehlo/program.ts";
import type { Handle, PjrtClient } from "./client.ts";
import { compileKept } from "./kept-programs.ts";

/** A program that is compiled, without its text. */
export interface CompiledProgram extends Omit<Program, "text"> {
  readonly executable: Handle;
}

/** What is fed of one argument: bytes for each device, or the same for all of them. */
export type Fed = Uint8Array | readonly Uint8Array[];

/** Bytes from which on an upload is not waited for. */
const LARGE = 2 ** 16;

export class Resident {
  private readonly client: PjrtClient;
  private readonly replicas: number;
  private readonly buffers = new Map<string, Handle[]>();
  private readonly programs = new Set<Handle>();

  /** @param replicas how many of the client's devices run every program together; some may be those of other processes */
  constructor(client: PjrtClient, replicas: number) {
    this.client = client;
    this.replicas = replicas;
  }

  has(name: string): boolean {
    return this.buffers.has(name);
  }

  /** Puts an array on every device, in the place of what had the name. */
  put({ name, shape, type }: Port, data: Uint8Array): void {
    this.free(name);
    this.buffers.set(
      name,
      this.devices().map((device) => this.client.upload(data, shape, type, device)),
    );
  }

  async compile({ text, ...ports }: Program): Promise<CompiledProgram> {
    const executable = await compileKept(this.client, text, { replicas: this.replicas });
    this.programs.add(executable);
    return { ...ports, executable };
  }

  /**
   * Starts a program and resolves when it is enqueued. Results with the name of an array here take its place; the others, of
   * the first device, belong to the caller.
   */
  async run(program: CompiledProgram, feeds: Readonly<Record<string, Fed>>): Promise<Map<string, Handle>> {
    const fed: Handle[] = [];
    const lists = this.devices().map((device, i) =>
      program.inputs.map((port) => {
        const resident = this.buffers.get(port.name);
        if (resident) return resident[i];
        const buffer = this.upload(port, feeds[port.name], i, device);
        fed.push(buffer);
        return buffer;
      }),
    );
    const { results } = await this.client.start(program.executable, lists, program.outputs.length);
    for (const buffer of fed) this.client.freeBuffer(buffer);
    const others = new Map<string, Handle>();
    for (const [k, { name }] of program.outputs.entries()) {
      const [first, ...rest] = results.map((list) => list[k]);
      if (this.buffers.has(name)) {
        this.free(name);
        this.buffers.set(name, [first, ...rest]);
      } else {
        others.set(name, first);
        for (const buffer of rest) this.client.freeBuffer(buffer);
      }
    }
    return others;
  }

  /** Copies an array of the first device into `target`. */
  async read(name: string, target: Uint8Array): Promise<void> {
    const buffers = this.buffers.get(name);
    if (!buffers) throw new InternalError(`no array "${name}" on the devices`);
    await this.client.download(buffers[0], target);
  }

  /** Copies a result that `run` gave into `target` and frees it. */
  async take(result: Handle, target: Uint8Array): Promise<void> {
    try {
      await this.client.download(result, target);
    } finally {
      this.client.freeBuffer(result);
    }
  }

  dispose(): void {
    for (const name of [...this.buffers.keys()]) this.free(name);
    for (const program of this.programs) this.client.freeProgram(program);
    this.programs.clear();
  }

  private devices(): readonly Handle[] {
    return this.client.devices.slice(0, this.replicas);
  }

  private upload({ name, shape, type }: Port, fed: Fed | undefined, i: number, device: Handle): Handle {
    if (!fed) throw new InternalError(`argument "${name}" was not fed`);
    const data = fed instanceof Uint8Array ? fed : fed[i];
    return data.byteLength < LARGE
      ? this.client.upload(data, shape, type, device)
      : this.client.uploadLater(data, shape, type, device).buffer;
  }

  private free(name: string): void {
    for (const buffer of this.buffers.get(name) ?? []) this.client.freeBuffer(buffer);
    this.buffers.delete(name);
  }
}
