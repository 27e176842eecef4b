// Slots: F1 of which of them an utterance has, and errors of the characters of their values.
import { scoreSlots } from "../../metrics/slots.ts";
import type { Measure } from "./measure.types.ts";
import { shares } from "./shares.ts";

export const slotMeasure: Measure = {
  metrics: [
    {
      name: "F1",
      isHigherBetter: true,
      value: (predictions) => scoreSlots(predictions).f1,
      units: (predictions) =>
        shares(scoreSlots(predictions).utterances.map(({ f1 }) => ({ numerator: 100 * f1, denominator: 1 }))),
    },
    {
      name: "CER",
      isHigherBetter: false,
      value: (predictions) => scoreSlots(predictions).cer,
      units: (predictions) =>
        shares(
          scoreSlots(predictions).utterances.map(({ edits, characters }) => ({
            numerator: 100 * edits,
            denominator: characters,
          })),
        ),
    },
  ],
  score(predictions) {
    const report = scoreSlots(predictions);
    return { kind: "slots", value: report.f1, report };
  },
};
