// The dashboard in the browser: hears of runs, keeps what is chosen, draws again what changed.
import { formatNumber } from "../../log/format.ts";
import type { ListedRun, RunChanges, RunCurves } from "../run.types.ts";
import { drawChart, type Line, valueAt } from "./chart.ts";
import { MAX_LINES, strokeOf } from "./colours.ts";
import { chosenRuns, type Order, RunRows } from "./table.ts";

const FIRST_ROWS = 200;
/** Runs that are shown before anybody chose. */
const FIRST_PICKED = 3;
const USUAL: readonly string[] = ["loss/total", "train/loss", "validation/loss", "dev/score"];

const byId = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;
const metric = byId<HTMLSelectElement>("metric");
const across = byId<HTMLSelectElement>("across");
const smoothing = byId<HTMLInputElement>("smooth");
const isLog = byId<HTMLInputElement>("log");
const filter = byId<HTMLInputElement>("filter");
const wantedState = byId<HTMLSelectElement>("state");
const more = byId<HTMLButtonElement>("more");

const runs = new Map<string, ListedRun>();
/** In the order of their colours; undefined: a colour that is free again. */
let picked: readonly (string | undefined)[] = [];
const curves = new Map<string, RunCurves>();
let order: Order = { key: "updated", isDescending: true };
let rowCount = FIRST_ROWS;
let hasPicked = false;
let lines: Line[] = [];

const rows = new RunRows(byId("rows"), (id, isPicked) => {
  hasPicked = true;
  if (isPicked) pick(id);
  else drop(id);
  void refresh(isPicked ? [id] : []);
});

function pick(id: string): void {
  const free = picked.indexOf(undefined);
  if (free < 0 && picked.length < MAX_LINES) picked = [...picked, id];
  // where no colour is free, the one that was chosen first makes room
  else picked = picked.with(Math.max(0, free), id);
}

/** What runs, and then what changed last. */
function pickFirst(): void {
  const newest = chosenRuns(runs.values(), { words: "", state: "", order }).filter(({ step }) => step !== null);
  const running = newest.filter(({ state }) => state === "running");
  for (const { id } of [...new Set([...running, ...newest])].slice(0, FIRST_PICKED)) pick(id);
}

function drop(id: string): void {
  picked = picked.map((one) => (one === id ? undefined : one));
}

const colourOf = (id: string): string | undefined =>
  picked.includes(id) ? strokeOf(picked.indexOf(id), 0).colour : undefined;

const shownIds = (): string[] => picked.filter((id) => id !== undefined && runs.has(id)) as string[];

function showRows(): void {
  const chosen = chosenRuns(runs.values(), { words: filter.value, state: wantedState.value, order });
  rows.show(chosen.slice(0, rowCount), colourOf);
  more.hidden = chosen.length <= rowCount;
  more.textContent = `Show ${Math.min(FIRST_ROWS, chosen.length - rowCount)} more of ${chosen.length}`;
  byId("none").hidden = chosen.length > 0;
  for (const head of document.querySelectorAll<HTMLElement>("th[data-key]")) {
    if (head.dataset.key === order.key) head.setAttribute("aria-sort", order.isDescending ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  }
}

async function fetchJson<T>(path: string, query: Readonly<Record<string, string>>): Promise<T | undefined> {
  const response = await fetch(`${path}?${new URLSearchParams(query)}`).catch(() => undefined);
  return response?.ok ? ((await response.json()) as T) : undefined;
}

/** Names that any of the chosen runs has; the one that was chosen stays chosen. */
async function offerMetrics(): Promise<void> {
  const lists = await Promise.all(shownIds().map((id) => fetchJson<string[]>("/names", { run: id })));
  const names = [...new Set(lists.flatMap((list) => list ?? []))];
  const before = metric.value;
  if (JSON.stringify(names) === JSON.stringify([...metric.options].map(({ value }) => value))) return;
  metric.replaceChildren(...names.map((name) => new Option(name, name)));
  metric.value = names.includes(before) ? before : (USUAL.find((name) => names.includes(name)) ?? names[0] ?? "");
}

/** Fetches the curves of these runs again, and draws. */
async function refresh(ids: readonly string[]): Promise<void> {
  await offerMetrics();
  const window = smoothing.value === "0" ? 0 : 2 ** Number(smoothing.value) + 1;
  await Promise.all(
    ids.map(async (run) => {
      const found = await fetchJson<RunCurves>("/curves", { run, metric: metric.value, smooth: String(window) });
      if (found) curves.set(run, found);
    }),
  );
  draw();
}

function draw(): void {
  showRows();
  const place = across.value === "seconds" ? 1 : 0;
  const placed = (points: RunCurves["lines"][number]["points"]) =>
    points.map((point) => [place ? point[1] / 3600 : point[0], point[2]] as const);
  lines = shownIds().flatMap((id) =>
    (curves.get(id)?.lines ?? []).map(({ part, points, smoothed }, i) => ({
      label: part === "" ? id : `${id} ${part}`,
      ...strokeOf(picked.indexOf(id), i),
      points: placed(points),
      smoothed: placed(smoothed),
    })),
  );
  const options = { metric: metric.value, across: place ? "hours of work" : "step", isLog: isLog.checked };
  drawChart(byId("chart"), lines, options, showLegend);
  showLegend(undefined);
}

function showLegend(x: number | undefined): void {
  const items = lines.map((line) => {
    const [item, mark, name, value] = ["li", "i", "span", "b"].map((tag) => document.createElement(tag));
    mark.style.borderColor = line.colour;
    mark.style.borderTopStyle = line.dash === "" ? "solid" : "dashed";
    name.textContent = line.label;
    const point = valueAt(line, x);
    value.textContent = point
      ? `${formatNumber(point[1])} at ${across.value === "seconds" ? point[0].toFixed(2) : point[0]}`
      : "";
    item.append(mark, name, value);
    return item;
  });
  byId("legend").replaceChildren(...items);
}

function hear(changes: RunChanges): void {
  if (changes.isWhole) runs.clear();
  for (const id of changes.gone) {
    runs.delete(id);
    curves.delete(id);
    drop(id);
  }
  for (const run of changes.changed) runs.set(run.id, run);
  if (!hasPicked && picked.length === 0) pickFirst();
  const changed = new Set(changes.changed.map(({ id }) => id));
  void refresh(shownIds().filter((id) => changed.has(id)));
}

function connect(): void {
  const events = new EventSource("/events");
  const status = byId("connection");
  events.onopen = () => {
    status.textContent = "Live: runs are shown as they change.";
  };
  events.onmessage = ({ data }) => hear(JSON.parse(data as string) as RunChanges);
  events.onerror = () => {
    status.textContent = "Not connected; what is shown may be old. Trying again ...";
  };
}

for (const control of [metric, smoothing]) control.addEventListener("input", () => void refresh(shownIds()));
for (const control of [across, isLog]) control.addEventListener("input", draw);
for (const control of [filter, wantedState])
  control.addEventListener("input", () => {
    rowCount = FIRST_ROWS;
    showRows();
  });
more.addEventListener("click", () => {
  rowCount += FIRST_ROWS;
  showRows();
});
for (const head of document.querySelectorAll<HTMLElement>("th[data-key]"))
  head.querySelector("button")?.addEventListener("click", () => {
    const key = head.dataset.key as keyof ListedRun;
    order = { key, isDescending: order.key === key ? !order.isDescending : key !== "id" && key !== "kind" };
    showRows();
  });
new ResizeObserver(draw).observe(document.querySelector("main") as HTMLElement);
connect();
