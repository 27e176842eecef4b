// Spells out what a pre-training recipe leaves open, and checks its fields against each other.
import { dataProblems } from "../../distill/recipe/resolve.ts";
import { UsageError } from "../../errors.ts";
import { checkModelConfig, frameCount, receptiveField, SAMPLE_RATE_HZ, samplesPerFrame } from "../../models/config.ts";
import { staysInPackage } from "../../package.ts";
import type { RecipeProblem } from "../../recipe/source.ts";
import type { RecipePath } from "../../recipe/text.ts";
import { pretrainedModel } from "./model.ts";
import { type PretrainInput, type PretrainRecipe, pretrainSchema } from "./schema.ts";

/** fairseq's in HuBERT's configurations. */
const WEIGHT_DECAY = 0.01;

/** The resolved recipe, or what contradicts itself in it. */
export function resolvePretrain(input: PretrainInput): { recipe: PretrainRecipe; problems: RecipeProblem[] } {
  const { data, model, optimizer } = input;
  const iterations = input.iterations.map((iteration, i) => ({
    ...iteration,
    targets: iteration.targets === "mfcc" ? ("mfcc" as const) : { ...iteration.targets, of: iteration.targets.of ?? i },
    peakLr: iteration.peakLr ?? optimizer.peakLr,
    warmupFraction: iteration.warmupFraction ?? optimizer.warmupFraction,
  }));
  const filled: PretrainRecipe = {
    ...input,
    model: { ...model, normalizeWaveform: model.normalizeWaveform ?? model.convNorm === "layer" },
    iterations,
    optimizer: { ...optimizer, weightDecay: optimizer.weightDecay ?? WEIGHT_DECAY },
    data: { ...data, batchSize: data.batchSize ?? (data.batchSeconds === null ? 8 : null) },
  };
  const problems = [...modelProblems(filled), ...iterationProblems(filled), ...choiceProblems(filled)];
  // `of: 0` of a first iteration is told above, and is no valid recipe
  if (problems.length > 0) return { recipe: filled, problems };
  // parsed again for the schema's key order, so that a resolved recipe reads like any other
  return { recipe: pretrainSchema.parse(filled) as PretrainRecipe, problems };
}

function modelProblems({ model }: PretrainRecipe): RecipeProblem[] {
  const problems: RecipeProblem[] = [];
  const bad = (field: string, message: string) =>
    problems.push({
      path: ["model", ...field.split(".")],
      message,
      against: [
        ["model", "dim"],
        ["model", "heads"],
      ],
    });
  const config = pretrainedModel(model);
  try {
    checkModelConfig(config);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const message = error.message.replace(/^model config: /, "");
    const field = /^\w+/.exec(message)?.[0] ?? "";
    bad(field === "dim" && model.dim % model.heads ? "heads" : Object.hasOwn(model, field) ? field : "conv", message);
  }
  const { conv } = config;
  const longest = 10 * SAMPLE_RATE_HZ;
  if (samplesPerFrame(conv) > SAMPLE_RATE_HZ || receptiveField(conv) > longest || frameCount(conv, longest) < 1)
    bad("conv", `one frame would cover ${receptiveField(conv)} samples; published models use 400`);
  return problems;
}

function iterationProblems({ iterations, model }: PretrainRecipe): RecipeProblem[] {
  return iterations.flatMap(({ targets, from, epochs, steps, maskedWeight, unmaskedWeight }, i) => {
    const problems: RecipeProblem[] = [];
    const bad = (field: RecipePath, message: string) =>
      problems.push({ path: ["iterations", i, ...field], message, against: [["iterations"]] });
    if (epochs !== null && steps !== null) bad(["steps"], "epochs is given too; give one of them");
    if (epochs === null && steps === null) bad([], "missing: give epochs or steps, how long to train");
    if (i === 0 && from === "continue") bad(["from"], "the first iteration has none before it: afresh");
    if (i === 0 && targets !== "mfcc") bad(["targets"], "the first iteration has none before it: mfcc");
    else if (targets !== "mfcc" && targets.of > i)
      bad(["targets", "of"], `must be an iteration before this one, 1 to ${i}, got ${targets.of}`);
    if (targets !== "mfcc" && targets.layer > model.layers)
      bad(["targets", "layer"], `the model has layers 1 to ${model.layers}, got ${targets.layer}`);
    if (maskedWeight === 0 && unmaskedWeight === 0)
      bad(["maskedWeight"], "maskedWeight and unmaskedWeight are both 0: nothing to learn");
    return problems;
  });
}

function choiceProblems(recipe: PretrainRecipe): RecipeProblem[] {
  const { masking, mixing, iterations, phones } = recipe;
  const problems = dataProblems(recipe);
  const bad = (path: RecipePath, message: string) => problems.push({ path, message });
  const learnsMasked = iterations.findIndex(({ unmaskedWeight }) => unmaskedWeight === 0);
  if (masking.probability === 0 && learnsMasked >= 0)
    bad(["masking", "probability"], `0 masks nothing, and iteration ${learnsMasked + 1} learns at masked frames alone`);
  if (mixing && mixing.ratioDb[0] > mixing.ratioDb[1])
    bad(["mixing", "ratioDb"], `expected [lowest, highest], got [${mixing.ratioDb.join(", ")}]`);
  if (phones && !staysInPackage(phones.path)) bad(["phones", "path"], "package: paths stay inside the package");
  return problems;
}
