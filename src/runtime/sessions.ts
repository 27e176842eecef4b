// Compiled graphs by key: each made when first needed, all made anew where their arenas have grown large.
import type { Graph } from "../graph/graph.ts";
import type { Executable, Runtime } from "./runtime.ts";

/** Uses between two renewals, at least, so that work which needs that much memory is not slowed by it. */
const RECYCLE_AFTER_USES = 16;

export type Compile = (graph: Graph) => Promise<Executable>;

interface Entry {
  /** What `build` made. */
  readonly built: Promise<unknown>;
  readonly executables: Executable[];
}

export class SessionCache {
  private readonly runtime: Runtime;
  private readonly isLarge: () => boolean;
  private readonly entries = new Map<string, Entry>();
  private uses = 0;

  /** `isLarge`: whether this process has grown so large that `used` ends all sessions; default: never. */
  constructor(runtime: Runtime, isLarge = () => false) {
    this.runtime = runtime;
    this.isLarge = isLarge;
  }

  /** What `build` makes of its compiled graphs, made the first time `key` is asked for. A key always has the same build. */
  get<Built>(key: string, build: (compile: Compile) => Promise<Built>): Promise<Built> {
    const known = this.entries.get(key);
    if (known) return known.built as Promise<Built>;
    const executables: Executable[] = [];
    const built = build(async (graph) => {
      const executable = await this.runtime.compile(graph);
      executables.push(executable);
      return executable;
    });
    this.entries.set(key, { built, executables });
    return built;
  }

  /** To be called after each use, with no result of a session pending: frees arenas that have grown. Numbers do not depend on it. */
  async used(): Promise<void> {
    if (++this.uses < RECYCLE_AFTER_USES || !this.isLarge()) return;
    this.uses = 0;
    await this.release();
  }

  /** Ends all sessions; the next use makes them again. */
  async release(): Promise<void> {
    const entries = [...this.entries.values()];
    this.entries.clear();
    await Promise.allSettled(entries.map(({ built }) => built));
    await Promise.all(entries.flatMap(({ executables }) => executables.map((executable) => executable.dispose())));
  }
}
