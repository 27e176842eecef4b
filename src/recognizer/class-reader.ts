// Classes of speech that is still going on: those of the last few seconds, from chunk to chunk.
import type { LogitBlock, StreamAnswer, StreamReader } from "../streaming/stream.types.ts";
import { classificationOf, meanLogits } from "./answers.ts";
import type { RecognizerFacts } from "./recognizer.types.ts";

/** Classes that are told. */
const TOP = 5;

/** Reads the mean of the logits of the last `frames` frames. */
export class ClassReader implements StreamReader {
  private readonly facts: RecognizerFacts;
  private readonly frames: number;
  private held = new Float32Array(0);

  constructor(facts: RecognizerFacts, frames: number) {
    [this.facts, this.frames] = [facts, frames];
  }

  read({ data }: LogitBlock): StreamAnswer {
    const width = this.facts.labels.length;
    const joined = new Float32Array(this.held.length + data.length);
    joined.set(this.held);
    joined.set(data, this.held.length);
    this.held = joined.slice(Math.max(0, joined.length - this.frames * width));
    const mean = meanLogits({ frames: this.held.length / width, data: this.held }, width);
    const { classes } = classificationOf(this.facts, mean, TOP);
    return { parts: [], open: null, classes };
  }

  /** Nothing new: the last classes were told with the last frames. */
  end(): StreamAnswer {
    return { parts: [], open: null, classes: [] };
  }
}
