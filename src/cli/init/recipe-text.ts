// The recipe that a plan comes to, with comments that say what was found, what was chosen and what it will take.
import { formatBytes, formatCount, formatHours, formatMillions } from "../../log/format.ts";
import type { Plan } from "./plan.ts";
import type { ChosenSpeech } from "./speech.ts";

/** Names and paths in YAML: quoted where plain text would mean something else. */
const text = (value: string): string =>
  /^[\w./-]+$/.test(value) && !/^[\d.-]/.test(value) ? value : JSON.stringify(value);
const place = ({ path, splits }: ChosenSpeech): string =>
  `{path: ${text(path)}${splits.length > 0 ? `, splits: [${splits.map(text).join(", ")}]` : ""}}`;
const amount = ({ recordings, seconds }: ChosenSpeech): string =>
  `${formatHours(seconds)} in ${formatCount(recordings)} recordings`;

/** `3.3 M parameters, 30 % of the teacher's`. */
export const sizeText = ({ parameters }: Pick<Plan, "parameters">): string =>
  `${formatMillions(parameters.student)} M parameters, ${Math.round((100 * parameters.student) / parameters.teacher)} % of the teacher's`;

/** What the plan will take, in words. */
export const costText = ({ audioSecondsPerSecond, epochs, cost, gflops }: Plan): string =>
  `${audioSecondsPerSecond.toPrecision(2)} s of audio a second (products run at ${gflops.toFixed(0)} GFLOP/s), ` +
  `${epochs.toPrecision(2)} epochs, about ${formatBytes(cost.memory)} of memory`;

export function recipeText(plan: Plan): string {
  const { speech, student, steps, batchSeconds, maxSeconds, outDir, budgetSeconds, device = "cpu" } = plan;
  const every = Math.max(1, Math.min(1000, Math.ceil(steps / 10)));
  const { train, validation } = speech;
  return `# A student of ${plan.teacher} on the speech in ${plan.data}, written by \`stillwave init\`.
#
# Data       ${amount(train)} to train on${validation ? `, ${amount(validation)} to validate on` : "; too few to hold any out"}
# Student    ${sizeText(plan)}; ${((100 * plan.macs.student) / plan.macs.teacher).toFixed(0)} % of its multiply-accumulates at 10 s
# Estimate   ${formatHours(budgetSeconds)} for ${formatCount(steps)} updates: ${costText(plan)}
# Command    stillwave distill ${plan.recipe}
# Try        stillwave distill ${plan.recipe} --set run.steps=20 --out runs/try
teacher: ${text(plan.teacher)} # a folder, a checkpoint or a Hugging Face id

student:
  layers: ${student.layers}
  dim: ${student.dim} # a multiple of heads and of posConv.groups; parameters grow with its square
  ffnDim: ${student.ffnDim}
  heads: ${student.heads}
${convText(plan)}
  attentionFrom: ${student.layers > 1 ? "every 2 # pairs of layers share one attention map" : "none"}
  posConv: {kernel: ${student.kernel}, groups: ${student.groups}}

loss: {hintWeight: 0.5, lastWeight: 1} # of all layers, and of the last once more

masking: {probability: 0.4} # share of frames that the student does not see

optimizer:
  peakLr: 2.0e-3 # lower it where the loss rises
  warmupFraction: 0.05

data: # paths begin at the current folder
  train: ${place(train)}
  validation: ${validation ? place(validation) : "null"}
  batchSeconds: ${batchSeconds} # of audio in an update; memory grows with it
  maxSeconds: ${maxSeconds} # longer recordings are cropped, elsewhere each time
  onBadFile: skip # files that cannot be read are left out and listed

run:
  steps: ${steps}
  outDir: ${text(outDir)}
  validateEverySteps: ${every}
  validationUtterances: 200
  checkpointEverySteps: ${every}
  device: ${text(device)} # \`stillwave devices\` lists what there is
`;
}

function convText({ student, teacherConfig }: Plan): string {
  if (!student.copiesConv) return "  # conv: the recipe's, narrower than the teacher's";
  const rows = teacherConfig.conv.map(({ channels, kernel, stride }) => `    - [${channels}, ${kernel}, ${stride}]`);
  const norm = teacherConfig.convNorm === "group" ? [] : [`  convNorm: ${teacherConfig.convNorm}`];
  const bias = teacherConfig.convBias ? ["  convBias: true"] : [];
  return [
    "  conv: # [channels, kernel, stride], the teacher's, with its weights to begin with",
    ...rows,
    ...norm,
    ...bias,
    "  initialise: {copyConv: true}",
    "  freezeConv: false # true keeps them the teacher's: updates take about half of the time",
  ].join("\n");
}
