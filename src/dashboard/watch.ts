// The list of runs, told to every page that is open: all of it at first, then what changes.
import type { ServerResponse } from "node:http";
import type { ListedRun, RunChanges } from "./run.types.ts";
import { RunScanner } from "./scan.ts";

/** Least pause between two looks at the folder; thousands of runs are looked at less often, so that a twentieth of the time is spent. */
const PAUSE_MS = 1000;
const PAUSE_PER_SCAN = 20;
/** A list that is older is not taken for the current one. */
const FRESH_MS = 5000;

export class RunWatch {
  private readonly scanner: RunScanner;
  private readonly pages = new Set<ServerResponse>();
  private runs: ReadonlyMap<string, ListedRun> = new Map();
  private scannedAt = Number.NEGATIVE_INFINITY;
  private scanning: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(root: string) {
    this.scanner = new RunScanner(root);
  }

  /** The runs as they were a few seconds ago at most. */
  async current(): Promise<ReadonlyMap<string, ListedRun>> {
    if (performance.now() - this.scannedAt > FRESH_MS) await this.scan();
    return this.runs;
  }

  /** Tells a page of all runs, and of what changes until it goes away. */
  async stream(response: ServerResponse): Promise<void> {
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    response.on("close", () => this.pages.delete(response));
    await this.current();
    tell(response, { changed: [...this.runs.values()], gone: [], isWhole: true });
    this.pages.add(response);
    this.timer ??= setTimeout(() => void this.look(), PAUSE_MS);
  }

  close(): void {
    clearTimeout(this.timer);
    for (const page of this.pages) page.end();
    this.pages.clear();
  }

  private async look(): Promise<void> {
    const began = performance.now();
    const before = this.runs;
    await this.scan();
    const changed = [...this.runs.values()].filter((run) => before.get(run.id) !== run);
    const gone = [...before.keys()].filter((id) => !this.runs.has(id));
    if (changed.length > 0 || gone.length > 0)
      for (const page of this.pages) tell(page, { changed, gone, isWhole: false });
    this.timer = undefined;
    const took = performance.now() - began;
    if (this.pages.size > 0) this.timer = setTimeout(() => void this.look(), Math.max(PAUSE_MS, PAUSE_PER_SCAN * took));
  }

  private scan(): Promise<void> {
    this.scanning ??= this.scanner.scan().then((runs) => {
      this.runs = runs;
      this.scannedAt = performance.now();
      this.scanning = undefined;
    });
    return this.scanning;
  }
}

const tell = (page: ServerResponse, changes: RunChanges): void =>
  void page.write(`data: ${JSON.stringify(changes)}\n\n`);
