// The list of detected terms that NIST's tools and the benchmark's leaderboard read.
import type { Prediction } from "../../metrics/predictions.ts";
import { trialsOf } from "../measures/search.ts";
import { formatScore, YES_ABOVE } from "./scoring.ts";

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

const attribute = (text: string) => text.replace(/[&<>"]/g, (char) => ENTITIES[char]);

/** Terms by query, in the order of the predictions. */
export function detectedTerms(predictions: readonly Prediction[]): string {
  const byQuery = new Map<string, string[]>();
  for (const { query, document, score } of trialsOf(predictions)) {
    const terms = byQuery.get(query) ?? [];
    byQuery.set(query, terms);
    const decision = score > YES_ABOVE ? "YES" : "NO";
    terms.push(
      `    <term file="${attribute(document)}" channel="1" tbeg="0.000" dur="0.00" score="${formatScore(score)}" decision="${decision}"/>`,
    );
  }
  const lists = [...byQuery].map(
    ([query, terms]) =>
      `  <detected_termlist termid="${attribute(query)}" term_search_time="1.0" oov_term_count="1">\n${terms.join("\n")}\n  </detected_termlist>`,
  );
  return [
    "<?xml version='1.0' encoding='UTF-8'?>",
    '<stdlist termlist_filename="benchmark.stdlist.xml" indexing_time="1.00" language="english" index_size="1" system_id="benchmark">',
    ...lists,
    "</stdlist>",
    "",
  ].join("\n");
}
