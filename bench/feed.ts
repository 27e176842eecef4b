// How fast speech is fed to a device: seconds of audio per processor second and per second, decoded each time, and once it is
// kept; what a batch costs the main thread; and how much of its time a device waits that takes 40 ms a step.
// Usage: npx tsx bench/feed.ts <folders of speech...> [--workers 1] [--items 16] [--max-seconds 12] [--step-ms 40]
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import { SAMPLE_RATE_HZ } from "../src/audio/index.ts";
import {
  closeDecodingThreads,
  type KeepOptions,
  type KeptSpeech,
  openCorpus,
  openKept,
  planEpoch,
  prefetchBatches,
} from "../src/data/index.ts";
import { Waiting } from "../src/training/waiting.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    workers: { type: "string", default: "1" },
    items: { type: "string", default: "16" },
    "max-seconds": { type: "string", default: "12" },
    "step-ms": { type: "string", default: "40" },
  },
});
const [workers, batchSize, maxSeconds, stepMs] = [
  values.workers,
  values.items,
  values["max-seconds"],
  values["step-ms"],
].map(Number);

const STEPS = 100;

console.log(`${workers} threads, ${batchSize} x ${maxSeconds} s at most`);
console.log("speech                          audio s  per CPU s  per s  main ms/batch  16-bit  waits  longest, ms");

for (const path of positionals) {
  const corpus = await openCorpus({ path }, { onBadFile: "skip" });
  const folder = mkdtempSync(join(tmpdir(), "stillwave-feed-"));
  const open = (mode: KeepOptions["mode"]) =>
    openKept({ mode, speech: corpus.utterances, folder, onNote: (text) => console.log(`  ${text}`) });
  try {
    await epoch(corpus, path, "decoded", undefined);
    for (const mode of ["memory", "disk"] as const) {
      const kept = await open(mode);
      await epoch(corpus, path, `decoded, kept: ${mode}`, kept);
      await epoch(corpus, path, `kept: ${mode}`, kept);
      kept?.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
await closeDecodingThreads();

async function epoch(
  corpus: Awaited<ReturnType<typeof openCorpus>>,
  path: string,
  name: string,
  kept: KeptSpeech | undefined,
): Promise<void> {
  const plan = planEpoch(corpus, { batchSize, maxSeconds, seed: 1, epoch: 0, shuffle: true });
  const cpu = process.cpuUsage();
  const loop = performance.eventLoopUtilization();
  const began = performance.now();
  let [seconds, shorts] = [0, 0];
  for await (const { batch } of prefetchBatches(plan, { workers, onBadFile: "skip", kept })) {
    if (batch.pcm) shorts++;
    for (const samples of batch.samples) seconds += samples / SAMPLE_RATE_HZ;
  }
  const wall = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const { active } = performance.eventLoopUtilization(loop);
  // again and again, beside a device
  const again = Array.from({ length: Math.ceil(STEPS / plan.length) }, () => plan).flat();
  const [waiting, steps] = [new Waiting(), prefetchBatches(again, { workers, ahead: 4, onBadFile: "skip", kept })];
  let longest = 0;
  const start = performance.now();
  for (let step = 0; step < STEPS; step++) {
    const before = performance.now();
    await waiting.during(steps.next());
    if (step > 0) longest = Math.max(longest, performance.now() - before);
    await setTimeout(stepMs);
  }
  await steps.return();
  const share = 100 * waiting.shareAfter((performance.now() - start) / 1000);
  const kind = `${path.split("/").filter(Boolean).at(-1)}, ${name}`;
  console.log(
    [
      kind.padEnd(31),
      seconds.toFixed(0).padStart(7),
      (seconds / ((user + system) / 1e6)).toFixed(0).padStart(10),
      (seconds / wall).toFixed(0).padStart(6),
      (active / plan.length).toFixed(2).padStart(14),
      `${((100 * shorts) / plan.length).toFixed(0)} %`.padStart(7),
      `${share.toFixed(2)} %`.padStart(8),
      longest.toFixed(1).padStart(7),
    ].join(" "),
  );
}
