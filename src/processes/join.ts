// How the processes of a run find each other: the first listens, all others come to it, and nobody else is let in.
import { connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { StillwaveError } from "../errors.ts";
import type { Introduction } from "./environment.ts";
import { ProcessGroup } from "./group.ts";
import { introduce, STRANGER_BYTES, welcome } from "./handshake.ts";
import { Wire } from "./wire.ts";

export interface JoinOptions {
  /** For all to come. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

const TIMEOUT_MS = 300_000;
const RETRY_MS = 250;

/**
 * Resolves when all processes are there.
 * @throws StillwaveError that names those which are missing, or says why process 0 is not met
 */
export async function joinProcesses(own: Introduction, options: JoinOptions = {}): Promise<ProcessGroup> {
  return new ProcessGroup(own, await meetProcesses(own, options));
}

/** Wires to the others, by rank: process 0 has one to each, the others have one to it. */
export function meetProcesses(
  own: Introduction,
  { timeoutMs = TIMEOUT_MS, signal }: JoinOptions = {},
): Promise<ReadonlyMap<number, Wire>> {
  const limit = AbortSignal.timeout(timeoutMs);
  const until = signal ? AbortSignal.any([signal, limit]) : limit;
  return own.rank === 0 ? gather(own, until) : come(own, until);
}

/** Process 0. */
async function gather(own: Introduction, until: AbortSignal): Promise<ReadonlyMap<number, Wire>> {
  const { size, address, port } = own;
  const wires = new Map<number, Wire>();
  let refused = "";
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      const stop = () => {
        const missing = Array.from({ length: size - 1 }, (_, i) => i + 1).filter((rank) => !wires.has(rank));
        reject(
          new StillwaveError(`port ${port}: of ${size} processes these did not come: ${missing.join(", ")}${refused}`),
        );
      };
      until.addEventListener("abort", stop, { once: true });
      server.on("connection", async (socket: Socket) => {
        const wire = new Wire(socket, STRANGER_BYTES);
        try {
          const rank = await welcome(wire, own, (rank) => wires.has(rank));
          wires.set(rank, wire);
          if (wires.size === size - 1) resolve();
        } catch (error) {
          refused = `; refused: ${socket.remoteAddress ?? "one"}, ${(error as Error).message}`;
          await wire.close();
        }
      });
      if (until.aborted) stop();
      listen(server, address, port).catch(reject);
    });
  } catch (error) {
    await Promise.all([...wires.values()].map((wire) => wire.close()));
    throw error;
  } finally {
    server.close();
  }
  return wires;
}

function listen(server: Server, address: string, port: number): Promise<void> {
  // where all are on one machine nobody else can even connect
  const isLocal = address === "localhost" || address === "::1" || address.startsWith("127.");
  return new Promise((resolve, reject) => {
    server.on("error", (error) =>
      reject(
        new StillwaveError(
          `port ${port} cannot be listened on (${error.message}); name another by MASTER_PORT, to all processes`,
        ),
      ),
    );
    server.listen({ port, host: isLocal ? address : undefined }, resolve);
  });
}

/** All others. Process 0 may come later. */
async function come(own: Introduction, until: AbortSignal): Promise<ReadonlyMap<number, Wire>> {
  const { address, port } = own;
  const first = `process 0 at ${address}:${port}`;
  for (;;) {
    const socket = await connected(address, port);
    if (socket instanceof Error) {
      if (until.aborted)
        throw new StillwaveError(`${first} is not met (${socket.message}); is MASTER_ADDR its machine?`);
      await wait(RETRY_MS, undefined, { signal: until }).catch(() => {});
      continue;
    }
    const wire = new Wire(socket, STRANGER_BYTES);
    try {
      await introduce(wire, own);
      return new Map([[0, wire]]);
    } catch (error) {
      await wire.close();
      throw new StillwaveError(`${first}: ${(error as Error).message}`);
    }
  }
}

function connected(host: string, port: number): Promise<Socket | Error> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.once("connect", () => resolve(socket));
    socket.once("error", resolve);
  });
}
