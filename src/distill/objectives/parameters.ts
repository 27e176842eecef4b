// All that is trained: the student's parameters but frozen ones, and behind them those that objectives bring.
import { type HostArray, type Parameters, sizeOf } from "../../graph/array.ts";
import { isOfConv, type ModelWeights, type ParameterSpec, parameterSpecs } from "../../models/parameters.ts";
import { Random } from "../../random.ts";
import { type Objective, type ObjectiveParameter, parameterName } from "./objective.ts";

const ownParameters = (objectives: readonly Objective[]): ObjectiveParameter[] =>
  objectives.flatMap((objective) =>
    objective.parameters.map((parameter) => ({ ...parameter, name: parameterName(objective, parameter.name) })),
  );

/** What decides which parameters learn. */
export interface Learning {
  readonly objectives: readonly Objective[];
  /** The student's convolutions are the teacher's and stay so. Default false. */
  readonly freezeConv?: boolean;
}

/** Names and shapes, in the order of flat buffers. */
export const trainedSpecs = (
  student: ModelWeights["config"],
  { objectives, freezeConv = false }: Learning,
): ParameterSpec[] => [
  ...parameterSpecs(student).filter(({ name }) => !(freezeConv && isOfConv(name))),
  ...ownParameters(objectives).map(({ name, shape }) => ({ name, shape })),
];

/** The student's weights and fresh ones of the objectives, each from its own stream of the seed. */
export function trainedParameters(
  { parameters }: ModelWeights,
  objectives: readonly Objective[],
  seed: number,
): Parameters {
  return new Map([...parameters, ...ownParameters(objectives).map((one) => [one.name, fresh(one, seed)] as const)]);
}

function fresh({ name, shape, initial }: ObjectiveParameter, seed: number): HostArray {
  const data = new Float32Array(sizeOf(shape));
  const random = new Random(seed, "init", name);
  if ("constant" in initial) data.fill(initial.constant);
  else if ("normal" in initial) for (let i = 0; i < data.length; i++) data[i] = initial.normal * random.normal();
  else {
    const [from, to] = initial.uniform;
    for (let i = 0; i < data.length; i++) data[i] = from + (to - from) * random.uniform();
  }
  return { shape, data };
}
