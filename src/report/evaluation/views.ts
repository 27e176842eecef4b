// The parts of a page that show answers, by how they are scored: what the metric is made of, the worst, what was taken for what.
import type { Scoring } from "../../superb/measures/measure.types.ts";
import { type Section, section } from "../kit/pieces.ts";
import type { Evaluation } from "../results/read.ts";
import { classConfusions, tokenConfusions } from "./confusion.ts";
import { answerFacts, decodingTable, errorTable } from "./errors.ts";
import { detectionChart, queryCards, searchFacts } from "./search.ts";
import { slotTable, worstSlots } from "./slots.ts";
import { thresholdCurve, turnCards, turnParts } from "./turns.ts";
import { worstCards, wrongCards } from "./utterances.ts";
import { trialFacts, trialPictures } from "./voices.ts";

interface View {
  /** Comes first on the page. */
  readonly answers: Section;
  /** Come after the training. */
  readonly details: readonly Section[];
  readonly plays: boolean;
}

export function viewOf(scoring: Scoring, evaluation: Evaluation): View {
  const { result } = evaluation;
  const decodings = result.decodings.length > 1 && decodingTable(result);
  if (scoring.kind === "errors") {
    const { content, plays } = worstCards(evaluation, scoring.report);
    return {
      answers: section("errors", "Errors", [errorTable(scoring.report, result.metric.name), decodings]),
      details: [
        section("worst", "Worst utterances", content),
        section("confusion", "Confusion", tokenConfusions(scoring.report)),
      ],
      plays,
    };
  }
  if (scoring.kind === "trials")
    return {
      answers: section("errors", "Trials", [trialFacts(scoring.report), trialPictures(scoring.report), decodings]),
      details: [],
      plays: false,
    };
  if (scoring.kind === "turns") {
    const { content, plays } = turnCards(evaluation, scoring.report);
    const parts = [turnParts(scoring.report), thresholdCurve(evaluation), decodings];
    return {
      answers: section("errors", "Errors", parts),
      details: [section("worst", "Worst recordings", content)],
      plays,
    };
  }
  if (scoring.kind === "search") {
    const { content, plays } = queryCards(evaluation, scoring.report);
    return {
      answers: section("errors", "Search", [searchFacts(evaluation, scoring.report), detectionChart(scoring.report)]),
      details: [section("worst", "Best and worst queries", content)],
      plays,
    };
  }
  if (scoring.kind === "slots") {
    const { content, plays } = worstSlots(evaluation, scoring.report);
    return {
      answers: section("errors", "Slots", [slotTable(scoring.report), decodings]),
      details: [section("worst", "Worst utterances", content)],
      plays,
    };
  }
  const { content, plays } = wrongCards(evaluation);
  return {
    answers: section("errors", "Answers", [answerFacts(scoring.report), decodings]),
    details: [
      section("worst", "Wrong answers", content),
      section("confusion", "Confusion", classConfusions(scoring.report)),
    ],
    plays,
  };
}
