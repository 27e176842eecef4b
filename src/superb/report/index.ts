// Reports, comparisons and scores made from the folders of evaluation runs.
export {
  type ComparedRun,
  type CompareOptions,
  type Comparison,
  compareEvaluations,
  compareRuns,
  type TaskComparison,
  type TestSetComparison,
} from "./compare.ts";
export { writeComparisonReport } from "./comparison.ts";
export { writeEvaluationReport } from "./evaluation.ts";
export { formatP, holm, type PairComparison } from "./pairs.ts";
export { type Evaluation, RESULT_NAME, readEvaluation } from "./read.ts";
export { type Rescored, rescore, type Scoring, scorePredictions } from "./rescore.ts";
export { readRuns } from "./runs.ts";
export {
  type PublishedResults,
  readPublished,
  type ScoredUpstream,
  type Scores,
  scoreEvaluations,
  scoreRuns,
} from "./score.ts";
export { comparisonTables, scoreTables, type TextTable } from "./tables.ts";
export { reportEvaluation, type WrittenEvaluationReport } from "./write.ts";
