// Progress of a run in stages: one line at a time, of the stage that is under way, and notes beside it.
import { type Progress, type ProgressOptions, startProgress } from "./progress.ts";

export class StagedProgress {
  private readonly noteElsewhere: (text: string) => void;
  private progress: Progress | undefined;
  private label: string | undefined;

  /** `noteElsewhere`: says notes while no stage is under way. */
  constructor(noteElsewhere: (text: string) => void) {
    this.noteElsewhere = noteElsewhere;
  }

  /** The line of this stage, instead of that before; it stays where the label is the same. */
  begin(options: ProgressOptions): Pick<Progress, "update"> {
    if (this.progress && options.label === this.label) return this.progress;
    this.finish();
    this.label = options.label;
    this.progress = startProgress(options);
    return this.progress;
  }

  /** How far the stage is. */
  readonly update: Progress["update"] = (...how) => this.progress?.update(...how);

  note(text: string): void {
    if (this.progress) this.progress.note(text);
    else this.noteElsewhere(text);
  }

  /** Ends the line, if there is one. */
  finish(): void {
    this.progress?.finish();
    this.progress = undefined;
  }
}
