// Reports, comparisons and scores made from the folders of evaluation runs.
export {
  type ComparedRun,
  type CompareOptions,
  type Comparison,
  compareEvaluations,
  compareRuns,
  type TaskComparison,
  type TestSetComparison,
} from "../comparison/compare.ts";
export { writeComparisonReport } from "../comparison/comparison.ts";
export { formatP, holm, type PairComparison } from "../comparison/pairs.ts";
export { readRuns } from "../comparison/runs.ts";
export {
  type PublishedResults,
  readPublished,
  type ScoredUpstream,
  type Scores,
  scoreEvaluations,
  scoreRuns,
} from "../comparison/score.ts";
export { comparisonTables, scoreTables, type TextTable } from "../comparison/tables.ts";
export { writeEvaluationReport } from "./evaluation.ts";
export { type Evaluation, RESULT_NAME, readEvaluation } from "./read.ts";
export { type Rescored, rescore, type Scoring, scorePredictions } from "./rescore.ts";
export { reportEvaluation, type WrittenEvaluationReport } from "./write.ts";
