// The compiled sessions of a step: one per variant, made when first needed, made anew where their arenas have grown.
import type { ModelConfig } from "../models/config.ts";
import type { DropoutSite } from "../nn/scope.ts";
import type { Executable, Runtime } from "../runtime/runtime.ts";
import type { StudentGraphOptions, StudentVariant } from "./step.graph.ts";
import { studentGraph } from "./step.graph.ts";
import type { TeacherVariant } from "./targets.ts";
import { teacherTargets } from "./targets.ts";

/** Memory of this process above which sessions are made anew: their arenas have grown with the lengths they met. */
const RECYCLE_ABOVE_BYTES = 4 * 2 ** 30;
/** Steps between that, at least, so that steps which need that much are not slowed by it. */
const RECYCLE_AFTER_STEPS = 16;

export interface StudentSession {
  readonly executable: Executable;
  /** Dropout masks that its graph is fed. */
  readonly sites: readonly DropoutSite[];
}

/** What the two graphs are traced from. */
export interface SessionOptions {
  readonly runtime: Runtime;
  readonly teacher: ModelConfig;
  readonly student: ModelConfig;
  /** Teacher layer of each student head. */
  readonly layers: readonly number[];
  readonly graph: StudentGraphOptions;
}

export class StepSessions {
  private readonly options: SessionOptions;
  private readonly executables: Executable[] = [];
  private readonly teachers = new Map<string, Promise<Executable>>();
  private readonly students = new Map<string, Promise<StudentSession>>();
  private steps = 0;

  constructor(options: SessionOptions) {
    this.options = options;
  }

  teacher(variant: TeacherVariant): Promise<Executable> {
    const { runtime, teacher, layers } = this.options;
    return once(this.teachers, variant, () => this.keep(runtime.compile(teacherTargets(teacher, layers, variant))));
  }

  student(variant: StudentVariant): Promise<StudentSession> {
    return once(this.students, variant, async () => {
      const { graph, sites } = studentGraph(this.options.student, this.options.graph, variant);
      return { executable: await this.keep(this.options.runtime.compile(graph)), sites };
    });
  }

  /** To be called after every training step: frees arenas that have grown. Numbers do not depend on it. */
  async stepDone(): Promise<void> {
    if (++this.steps < RECYCLE_AFTER_STEPS || process.memoryUsage.rss() < RECYCLE_ABOVE_BYTES) return;
    this.steps = 0;
    await this.release();
  }

  /** Ends all sessions; the next use makes them again. */
  async release(): Promise<void> {
    await Promise.all(this.executables.splice(0).map((executable) => executable.dispose()));
    this.teachers.clear();
    this.students.clear();
  }

  private async keep(compiled: Promise<Executable>): Promise<Executable> {
    const executable = await compiled;
    this.executables.push(executable);
    return executable;
  }
}

/** Builds a variant the first time it is asked for. */
function once<R>(built: Map<string, Promise<R>>, variant: object, build: () => Promise<R>): Promise<R> {
  const key = JSON.stringify(variant);
  const known = built.get(key) ?? build();
  built.set(key, known);
  return known;
}
