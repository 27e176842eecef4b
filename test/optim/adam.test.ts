// Adam against numbers of torch.optim.Adam, with gradients so small that eps decides, and an eps and betas of one's own.
import { expect, test } from "vitest";
import { ADAM_DEFAULTS, adamUpdate } from "../../src/optim/adam.ts";
import { createAdamWState } from "../../src/optim/adamw.ts";

/** Gradients of update t, element i: multiples of 1/4 times a scale, float32 numbers all. The last one is always 0. */
const SCALES = Float32Array.of(1, 1e-2, 1e-8, 3e-9, 1e-18, 0);
const gradientsOf = (t: number) => SCALES.map((scale, i) => ((((3 * t * (i + 1)) % 7) - 3) / 4) * scale);
const START = [0.5, -1.25, 0, 0, 0, 3];
const rateOf = (t: number) => 0.01 / t;

/**
 * PyTorch 1.13, float64, on the gradients and rates above (w.grad = g; param_groups[0]["lr"] = 0.01 / t; opt.step()):
 * torch.optim.Adam([w], betas=(0.9, 0.999), eps=1e-8), then betas=(0.8, 0.95), eps=1e-3; weights after each update.
 */
const DEFAULTS = [
  [0.5, -1.2599999866666842, 0.001999999990276046, -0.0013043478359835569, 5.000000228818526e-13, 3],
  [0.49627931595230546, -1.2648517396943768, 0.0019473684115845712, -0.0016255508000799597, 6.842105576297283e-13, 3],
  [0.4951340737835792, -1.2678304695951836, 0.0013048689928091023, -0.0015943203793366883, 7.617013360851169e-13, 3],
  [0.4937625052310748, -1.2696604647833563, 0.0012092401584362234, -0.0017198279918793768, 7.847458268173968e-13, 3],
  [0.4934595666942523, -1.2705736153494027, 0.001149351489047747, -0.0018286013584213404, 7.742601239125294e-13, 3],
];
const OTHER = [
  [0.5, -1.2588235293885621, 2.4999937348220233e-8, -1.4999977630915897e-8, 5.000000229068523e-18, 3],
  [0.4961282532324532, -1.2629851259019573, 2.3611051939985776e-8, -1.833330750342563e-8, 6.8055558673432675e-18, 3],
  [0.49508526425666544, -1.2654272937818922, 1.2818754905479228e-8, -1.759560348265316e-8, 7.515938413549725e-18, 3],
  [0.4936806595638556, -1.2668072844068465, 1.1700874222165016e-8, -1.9135235227240074e-8, 7.656521075816896e-18, 3],
  [0.49352607626132, -1.2673505364441864, 1.107260469728875e-8, -2.0446751689522824e-8, 7.438053669330228e-18, 3],
];

/** The same of torch.optim.AdamW([w], weight_decay=0.01). */
const DECAYED = [
  [0.49995, -1.2598749866666843, 0.001999999990276046, -0.0013043478359835569, 5.000000228818526e-13, 2.9997],
  [
    0.49620431845230545, -1.2646637459450436, 0.0019472684115850575, -0.0016254855826881604, 6.841855576285841e-13,
    2.9995500149999996,
  ],
  [
    0.4950425361396308, -1.2676003203876522, 0.0013047040972892867, -0.0015942009790921327, 7.616535298987185e-13,
    2.9994500299994997,
  ],
  [
    0.4936585915237228, -1.2693986255678151, 0.0012090426545474835, -0.0017196687333352319, 7.846789792927509e-13,
    2.9993750437487496,
  ],
  [
    0.49334577981506983, -1.2702863881613502, 0.001149129810114131, -0.0018284077045338297, 7.741775828082977e-13,
    2.9993150562478745,
  ],
];

test.each([
  ["PyTorch's defaults", undefined, DEFAULTS],
  ["other betas and eps", { betas: [0.8, 0.95] as const, weightDecay: 0, eps: 1e-3 }, OTHER],
  ["AdamW", { ...ADAM_DEFAULTS, weightDecay: 0.01 }, DECAYED],
])("%s", (_, options, expected) => {
  const weights = Float32Array.from(START);
  const state = createAdamWState(START.length);
  for (const [at, numbers] of expected.entries()) {
    adamUpdate(weights, gradientsOf(at + 1), state, rateOf(at + 1), options);
    expect(state.t).toBe(at + 1);
    for (const [i, value] of numbers.entries()) {
      // both moments and the weight are rounded to float32 in every update
      const rounding = 2 ** -24 * (3 * (at + 1)) * Math.abs(value);
      expect(Math.abs(weights[i] - value), `update ${at + 1}, weight ${i}`).toBeLessThanOrEqual(rounding);
    }
  }
});

test("the defaults are said", () => {
  expect(ADAM_DEFAULTS).toEqual({ betas: [0.9, 0.999], weightDecay: 0, eps: 1e-8 });
});

test("buffers of different lengths are refused", () => {
  const [two, three] = [new Float32Array(2), new Float32Array(3)];
  expect(() => adamUpdate(two, three, createAdamWState(2), 1)).toThrow("2 weights, 3 gradients");
  expect(() => adamUpdate(two, two, createAdamWState(3), 1)).toThrow("moments 3 and 3");
});
