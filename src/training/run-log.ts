// What a run logs: rows of metrics.jsonl, and the same as TensorBoard events; what a resume does again is dropped first.
import { join } from "node:path";
import { type MetricsRow, openEventWriter, openMetrics, truncateAfter } from "../log/index.ts";

export const METRICS_NAME = "metrics.jsonl";
const EVENTS_NAME = "tensorboard";

export interface RunLog {
  /** @throws StillwaveError where the disk refuses */
  write(row: MetricsRow): void;
  close(): void;
}

/** `lastStep`: of a run that is resumed, the last step whose rows stay; -1: none do. */
export async function openRunLog(folder: string, lastStep?: number): Promise<RunLog> {
  const path = join(folder, METRICS_NAME);
  if (lastStep !== undefined) await truncateAfter(path, lastStep);
  const purgeStep = lastStep === undefined ? undefined : Math.max(0, lastStep) + 1;
  const events = openEventWriter(join(folder, EVENTS_NAME), { purgeStep });
  try {
    const metrics = openMetrics(path);
    return {
      write(row) {
        metrics.write(row);
        events.write(row);
      },
      close() {
        metrics.close();
        events.close();
      },
    };
  } catch (error) {
    events.close();
    throw error;
  }
}
