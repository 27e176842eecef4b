// Reports, comparisons and scores made from the folders of evaluation runs.
export { writeEvaluationReport } from "./evaluation.ts";
export { type Evaluation, RESULT_NAME, readEvaluation } from "./read.ts";
export { type Rescored, rescore, type Scoring, scorePredictions } from "./rescore.ts";
export { reportEvaluation, type WrittenEvaluationReport } from "./write.ts";
