// The list of runs: sorted, filtered, rows changed in place so that focus and selection stay where they are.
import { formatDuration, formatNumber } from "../../log/format.ts";
import type { ListedRun } from "../run.types.ts";

export interface Order {
  readonly key: keyof ListedRun;
  readonly isDescending: boolean;
}

/** Runs that match the words and the state, in order; what has no value comes last. */
export function chosenRuns(
  runs: Iterable<ListedRun>,
  { words, state, order }: { readonly words: string; readonly state: string; readonly order: Order },
): ListedRun[] {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  const { key, isDescending } = order;
  return [...runs]
    .filter((run) => state === "" || run.state === state)
    .filter((run) => wanted.every((word) => `${run.id} ${run.kind}`.toLowerCase().includes(word)))
    .sort((a, b) => {
      const [one, other] = [a[key], b[key]];
      const [isNone, isOtherNone] = [one === null || one === "", other === null || other === ""];
      if (isNone || isOtherNone) return Number(isNone) - Number(isOtherNone) || byName(a, b);
      const sign = isDescending ? -1 : 1;
      const compared =
        typeof one === "number" && typeof other === "number"
          ? one - other
          : String(one).localeCompare(String(other), "en", { numeric: true });
      return sign * compared || byName(a, b);
    });
}

const byName = (a: ListedRun, b: ListedRun) => a.id.localeCompare(b.id, "en", { numeric: true });

const shown = (value: number | null, write: (value: number) => string): string => (value === null ? "" : write(value));

const ago = (time: number): string => {
  const seconds = Math.max(0, (Date.now() - time) / 1000);
  if (seconds < 90) return `${Math.round(seconds)} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  return seconds < 129_600 ? `${Math.round(seconds / 3600)} h ago` : `${Math.round(seconds / 86_400)} d ago`;
};

/** Keeps the rows of a table body. */
export class RunRows {
  private readonly body: HTMLElement;
  private readonly onPick: (id: string, isPicked: boolean) => void;
  private readonly rows = new Map<string, HTMLTableRowElement>();

  constructor(body: HTMLElement, onPick: (id: string, isPicked: boolean) => void) {
    this.body = body;
    this.onPick = onPick;
  }

  show(runs: readonly ListedRun[], colourOf: (id: string) => string | undefined): void {
    const wanted = new Set(runs.map(({ id }) => id));
    for (const [id, row] of this.rows)
      if (!wanted.has(id)) {
        row.remove();
        this.rows.delete(id);
      }
    for (const [i, run] of runs.entries()) {
      const row = this.rows.get(run.id) ?? this.make(run.id);
      fill(row, run, colourOf(run.id));
      if (this.body.children[i] !== row) this.body.insertBefore(row, this.body.children[i] ?? null);
    }
  }

  private make(id: string): HTMLTableRowElement {
    const row = document.createElement("tr");
    const pick = document.createElement("td");
    pick.className = "pick";
    const box = document.createElement("input");
    box.type = "checkbox";
    box.setAttribute("aria-label", `show ${id || "this folder"}`);
    box.addEventListener("change", () => this.onPick(id, box.checked));
    pick.append(box);
    const name = document.createElement("th");
    name.scope = "row";
    name.className = "text wrap";
    row.append(pick, name);
    const classes = ["narrow-off text", "state", "", "narrow-off", "", "", "narrow-off text", "narrow-off", "text"];
    for (const className of classes) {
      const cell = document.createElement("td");
      cell.className = className;
      row.append(cell);
    }
    this.rows.set(id, row);
    return row;
  }
}

function fill(row: HTMLTableRowElement, run: ListedRun, colour: string | undefined): void {
  const [pick, name, kind, state, step, rate, left, loss, score, updated, report] =
    row.children as unknown as HTMLElement[];
  const box = pick.firstElementChild as HTMLInputElement;
  box.checked = colour !== undefined;
  box.style.accentColor = colour ?? "";
  write(name, run.id || "(this folder)");
  write(kind, run.kind);
  state.className = `state ${run.state}`;
  write(state, run.state);
  state.title = run.failure;
  write(step, run.step === null ? "" : `${run.step}${run.total === null ? "" : ` / ${run.total}`}`);
  write(rate, shown(run.rate, formatNumber));
  write(left, shown(run.left, formatDuration));
  write(loss, shown(run.loss, formatNumber));
  write(score, run.score);
  write(updated, ago(run.updated));
  if (!run.hasReport) report.replaceChildren();
  if (!run.hasReport || report.firstElementChild) return;
  const link = document.createElement("a");
  link.href = `/report?run=${encodeURIComponent(run.id)}`;
  link.textContent = "report";
  link.setAttribute("aria-label", `report of ${run.id || "this folder"}`);
  report.replaceChildren(link);
}

const write = (cell: HTMLElement, text: string): void => {
  if (cell.textContent !== text) cell.textContent = text;
};
