// Predictions as the lists that the benchmark's leaderboard takes: a line an utterance.
import type { Prediction } from "../../metrics/predictions.ts";
import type { SubmissionFile, TestedRun } from "./task.types.ts";

/** A submission of one file, of which `line` makes each line. */
export const listed =
  (name: string, line: (prediction: Prediction) => string = spaced) =>
  async ({ test }: TestedRun): Promise<SubmissionFile[]> => [
    { name, content: test.map((prediction) => `${line(prediction)}\n`).join("") },
  ];

/** `<id> <answer>`. */
const spaced = ({ id, hypothesis }: Prediction): string => `${id} ${hypothesis}`;
