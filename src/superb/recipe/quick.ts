// The quick profile: fewer data, a fixed number of steps and states of one scale, so that students are compared in minutes.
// After MiniSUPERB (arXiv:2305.19011), which takes a tenth of the benchmark's steps on a part of its data, with normalised states
// and one learning rate for all models.

/** Content, speakers, what is said how: heads that train in a minute or two. Recurrent heads and x-vectors take an hour. */
export const QUICK_TASKS: readonly string[] = ["pr", "ks", "sid", "er", "ic", "qbe"];

const STEPS = 600;
/** Utterances of a split that are drawn, by a hash of their ids. */
const UTTERANCES = { train: 2000, dev: 300, test: 1000 };

/** What is set of a task, as `--set` has it. */
export const quickSettings = (task: string): string[] => {
  const subset = Object.entries(UTTERANCES).map(([split, count]) => `data.most.${split}=${count}`);
  if (task === "qbe") return subset;
  return [
    ...subset,
    "head.normalizeStates=true",
    `training.steps=${STEPS}`,
    `training.evaluateEvery=${STEPS / 4}`,
    "training.patience=0",
    // MiniSUPERB's rate for speakers; elsewhere the benchmark's own is one rate already
    ...(task === "sid" ? ["training.learningRates=[1e-3]"] : []),
  ];
};
