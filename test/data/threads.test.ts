// The pool of decoding threads: an idle thread that is being ended gets no more work.
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { entryBeside, Threads } from "../../src/data/threads.ts";

const worker = entryBeside("worker", new URL("../../src/data/threads.ts", import.meta.url).href);
const path = fileURLToPath(new URL("../audio/fixtures/", import.meta.url));

test("work that arrives while an idle thread ends is answered by another thread", async () => {
  const pool = new Threads(worker, { most: 1, idleMs: 20 });
  const task = { kind: "probe", recording: { path: `${path}no-such-file.wav` } } as const;
  for (let round = 0; round < 3; round++) {
    expect(await pool.run(task)).toHaveProperty("reason");
    // The main thread is busy past the idle time, as in a long training step: the timer fires when it returns.
    const until = performance.now() + 60;
    while (performance.now() < until);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  await pool.close();
});
