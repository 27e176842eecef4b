// Shows how far units are, of a pre-training or of a teacher that is distilled.
import type { StagedProgress } from "../../log/index.ts";
import type { UnitProgress } from "../../units/making/settings.ts";

/** What the stages of making units count. */
const COUNTED: Readonly<Record<UnitProgress["stage"], string>> = {
  features: "utterance",
  seeding: "centroid",
  "k-means": "iteration",
  labels: "utterance",
};

/** Shows how far units are. `label` names a stage. */
export function showUnits(
  progress: StagedProgress,
  { stage, done, total, inertia }: UnitProgress,
  label: string = stage,
): void {
  progress
    .begin({ label, total, startedAt: done, unit: COUNTED[stage] })
    .update(done, inertia === undefined ? {} : { loss: inertia });
}
