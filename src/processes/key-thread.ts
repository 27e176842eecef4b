// Entry point of the thread that answers for keys while the main thread waits in a call of a plugin.
import { workerData } from "node:worker_threads";
import { meetProcesses } from "./join.ts";
import { KeyValueStore, RemoteKeyValues, serveKeys } from "./key-values.ts";
import type { KeyQuestion, KeyThreadData } from "./waiting-keys.ts";

const { place, port, turn } = workerData as KeyThreadData;
const wires = await meetProcesses(place);
const store = new KeyValueStore();
for (const wire of place.rank === 0 ? wires.values() : []) void serveKeys(wire, store);
const first = wires.get(0);
const keys = first ? new RemoteKeyValues(first) : store;

port.on("message", async ({ number, key, value, timeoutMs }: KeyQuestion) => {
  const found = await (value ? keys.put(key, value) : keys.get(key, timeoutMs)).catch(() => undefined);
  port.postMessage({ number, found });
  Atomics.store(turn, 0, 1);
  Atomics.notify(turn, 0);
});
port.postMessage("ready");
