// Whole evaluations on an XLA device: they end, train as on ONNX Runtime, and compile a bounded number of programs.
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { PjrtClient } from "../../../src/runtime/xla/client.ts";
import { temporaryFolder } from "../../data/corpora.ts";
import { describeWithPlugin } from "../../runtime/xla/plugin.ts";
import { speechCorpus } from "../speech.ts";
import { tonesCorpus } from "../tones.ts";
import { doneOf, evaluate, evaluationsIn, tinyLibri } from "./evaluations.ts";

const root = temporaryFolder();
const { folder, optionsFor } = evaluationsIn(root, speechCorpus());

describeWithPlugin("evaluations on an XLA device", () => {
  const compile = vi.spyOn(PjrtClient.prototype, "compile");
  beforeAll(() => {
    vi.stubEnv("STILLWAVE_CACHE", temporaryFolder());
  });
  afterAll(() => {
    vi.unstubAllEnvs();
    compile.mockRestore();
  });

  /** The same evaluation on both, each with its own states. */
  async function both(options: Parameters<typeof optionsFor>[1]) {
    const [exact, own] = (["cpu", "xla:cpu"] as const).map((device) => ({
      ...optionsFor(folder(), { ...options, features: { cache: `${root}/${device}` } }),
      device,
    }));
    const lossesOf = async ({ device, ...asked }: typeof own) => {
      const events = await evaluate({ ...asked, run: { ...asked.run, device } });
      const losses = events.flatMap((event) => (event.kind === "step" ? [event.loss] : []));
      return { losses, result: doneOf(events).result };
    };
    const expected = await lossesOf(exact);
    compile.mockClear();
    return { expected, found: await lossesOf(own), programs: compile.mock.calls.length };
  }

  test("pr: CTC on the host, heads on the device", async () => {
    const training = { steps: 4, evaluateEvery: 4, batchSize: 5, accumulate: 1, learningRates: [1e-2] };
    const { expected, found, programs } = await both({ training });
    expect(found.losses).toEqual(expected.losses.map((loss) => expect.closeTo(loss, 3)));
    expect(found.result.metric.value).toBeCloseTo(expected.result.metric.value, 0);
    expect(programs).toBeLessThanOrEqual(12);
  });

  test("ks: a model's states, and a head on utterances", async () => {
    const data = { root: tonesCorpus(), onBadFile: "stop" as const };
    const training = { steps: 4, evaluateEvery: 4, learningRates: [1e-2] };
    const { expected, found, programs } = await both({ task: "ks", upstream: tinyLibri, data, training });
    expect(found.losses).toEqual(expected.losses.map((loss) => expect.closeTo(loss, 2)));
    expect(programs).toBeLessThanOrEqual(16);
  });
});
