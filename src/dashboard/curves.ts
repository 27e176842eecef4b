// Curves of runs for the page: kept while they are asked for, smoothed over all their points, thinned to what a chart shows.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { smooth, thin } from "../report/kit/line.ts";
import { METRICS_NAME } from "../training/run-log.ts";
import type { RunCurves } from "./run.types.ts";
import { GrowingRows } from "./tail.ts";

/** Files whose rows are kept at a time. */
const MAX_KEPT = 64;
const MAX_POINTS = 800;

export class CurveStore {
  private readonly kept = new Map<string, GrowingRows>();

  /** Names of the scalars of a run, in the order in which they came. */
  async names(folder: string): Promise<string[]> {
    const names = new Set<string>();
    for (const { rows } of await this.open(folder))
      for (const { values } of rows) for (const name of Object.keys(values)) names.add(name);
    return [...names];
  }

  /** `window`: values that a smoothed one is the mean of; below 2: none are. */
  async curves(folder: string, metric: string, window: number): Promise<RunCurves> {
    const lines = (await this.open(folder)).flatMap(({ part, rows }) => {
      const own = rows.filter(({ values }) => Object.hasOwn(values, metric));
      if (own.length === 0) return [];
      const seconds = new Map(own.map((row) => [row.step, row.seconds]));
      const points = own.map(({ step, values }) => ({ step, value: values[metric] }));
      const placed = (list: typeof points) =>
        thin(list, MAX_POINTS).map(
          ({ step, value }) => [step, seconds.get(step) ?? 0, Number.isFinite(value) ? value : null] as const,
        );
      return [{ part, points: placed(points), smoothed: window < 2 ? [] : placed(smooth(points, window)) }];
    });
    return { lines };
  }

  private async open(folder: string): Promise<{ readonly part: string; readonly rows: GrowingRows["rows"] }[]> {
    const parts = (await readdir(join(folder, "metrics")).catch(() => [])).filter((name) => name.endsWith(".jsonl"));
    const files = [
      { part: "", path: join(folder, METRICS_NAME) },
      ...parts.sort().map((name) => ({ part: name.replace(/\.jsonl$/, ""), path: join(folder, "metrics", name) })),
    ];
    const opened: { part: string; rows: GrowingRows["rows"] }[] = [];
    for (const { part, path } of files) {
      const growing = this.kept.get(path) ?? new GrowingRows(path);
      // what was used last is dropped last
      this.kept.delete(path);
      this.kept.set(path, growing);
      await growing.update();
      opened.push({ part, rows: growing.rows });
    }
    for (const path of [...this.kept.keys()].slice(0, Math.max(0, this.kept.size - MAX_KEPT))) this.kept.delete(path);
    return opened;
  }
}
