// The moving waveform and, below it, what was heard at each moment.
import type { Envelope } from "../audio/envelope.ts";
import type { Heard } from "../model/protocol.ts";

/** CSS pixels from one bar to the next, and of a bar. */
const [PITCH, BAR] = [4, 2.5];
/** A peak below this is drawn as if it were this loud: silence is not blown up. */
const FAINTEST_PEAK = 0.04;
/** Pixels of the strip below for what is heard, and of a second of sound while it moves. */
const STRIPS = { words: 60, phones: 60, nothing: 0 } as const;
const SCALES = { words: 110, phones: 150, nothing: 110 } as const;
/** Sound comes in blocks; the picture runs so far behind that none is missing. */
const LAG_SECONDS = 0.2;

export type Texts = keyof typeof STRIPS;

export interface Scene {
  readonly envelope: Envelope;
  readonly heard: readonly Heard[];
  /** How texts are set: words in large letters, phones in small ones; or none come. */
  readonly texts: Texts;
  /** Seconds since speaking began while it is going on. */
  readonly liveSeconds: number | null;
  /** Where playing stands. */
  readonly position: number;
  /** Whether all of it is shown at once, however long. */
  readonly isFitted: boolean;
  /** Strength of the colour of every moment, 0 to 1; null: all in full. */
  readonly tint: ((seconds: number) => number) | null;
}

interface View {
  readonly start: number;
  readonly pixelsPerSecond: number;
}

interface Colours {
  readonly ink: string;
  readonly quiet: string;
  readonly line: string;
  readonly accent: string;
}

function coloursOf(canvas: HTMLCanvasElement): Colours {
  const style = getComputedStyle(canvas);
  const named = (name: string) => style.getPropertyValue(`--${name}`).trim();
  return { ink: named("ink"), quiet: named("quiet"), line: named("line"), accent: named("accent") };
}

/** What part of the sound is shown in `width` pixels, and how large. */
function viewOf({ envelope, texts, liveSeconds, position, isFitted }: Scene, width: number): View {
  const scale = SCALES[texts];
  if (liveSeconds !== null) {
    const now = Math.min(envelope.seconds, Math.max(0, liveSeconds - LAG_SECONDS));
    return { start: now - width / scale, pixelsPerSecond: scale };
  }
  const { seconds } = envelope;
  const fitted = width / Math.max(seconds, 0.1);
  if (isFitted || fitted >= scale) return { start: 0, pixelsPerSecond: fitted };
  const span = width / scale;
  return { start: Math.max(0, Math.min(seconds - span, position - span / 2)), pixelsPerSecond: scale };
}

/** Draws a scene; undefined: nothing was said yet, a line that lies still. */
export function drawStage(canvas: HTMLCanvasElement, scene: Scene | undefined): void {
  const ratio = devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d")!;
  context.scale(ratio, ratio);
  const colours = coloursOf(canvas);
  const strip = STRIPS[scene?.texts ?? "nothing"];
  const middle = strip > 0 ? (height - strip) / 2 + 6 : height / 2;
  if (!scene) {
    stillLine(context, { width, middle, colours });
    return;
  }
  const view = viewOf(scene, width);
  bars(context, scene, { view, width, middle, colours });
  if (strip > 0) writeHeard(context, scene, { view, width, top: height - strip, colours });
  if (scene.liveSeconds === null) {
    context.fillStyle = colours.ink;
    context.fillRect((scene.position - view.start) * view.pixelsPerSecond - 0.75, 10, 1.5, height - 20);
  }
}

type Frame = { readonly view: View; readonly width: number; readonly colours: Colours };

function stillLine(context: CanvasRenderingContext2D, at: Omit<Frame, "view"> & { readonly middle: number }): void {
  context.fillStyle = at.colours.line;
  for (let x = 14; x < at.width - 14; x += PITCH) pill(context, x, at.middle, 1);
}

function pill(context: CanvasRenderingContext2D, x: number, middle: number, half: number): void {
  const size = Math.max(BAR / 2, half);
  context.beginPath();
  context.roundRect(x, middle - size, BAR, 2 * size, BAR / 2);
  context.fill();
}

/** Bars stay with the sound when it moves: they begin at whole multiples of their length, not at the picture's edge. */
function bars(
  context: CanvasRenderingContext2D,
  { envelope, tint }: Scene,
  { view, width, middle, colours }: Frame & { readonly middle: number },
): void {
  const length = PITCH / view.pixelsPerSecond;
  const gain = 1 / Math.max(FAINTEST_PEAK, envelope.peak);
  const last = Math.ceil((view.start + width / view.pixelsPerSecond) / length);
  for (let bar = Math.floor(view.start / length); bar <= last; bar++) {
    const start = bar * length;
    const isSound = start >= 0 && start < envelope.seconds;
    const loudness = isSound ? (envelope.loudest(start, start + length) * gain) ** 0.8 : 0;
    context.fillStyle = isSound ? colours.accent : colours.line;
    context.globalAlpha = isSound && tint ? 0.15 + 0.85 * tint(start + length / 2) : 1;
    pill(context, (start - view.start) * view.pixelsPerSecond, middle, loudness * (middle - 14));
  }
  context.globalAlpha = 1;
}

/**
 * Texts below where they were said, those that do not fit beside their neighbour left out: the line below has them all. Which
 * ones are left out is counted from the beginning, so that none comes and goes while the picture moves.
 */
function writeHeard(
  context: CanvasRenderingContext2D,
  { heard, texts }: Scene,
  { view, width, top, colours }: Frame & { readonly top: number },
): void {
  const size = texts === "words" ? 26 : 16;
  context.font = texts === "words" ? `${size}px Newsreader, Georgia, serif` : `${size}px Inter, system-ui, sans-serif`;
  context.textAlign = "center";
  let free = Number.NEGATIVE_INFINITY;
  for (const { text, start, end, isSettled } of heard) {
    const [from, to] = [start, end].map((seconds) => (seconds - view.start) * view.pixelsPerSecond);
    const half = context.measureText(text).width / 2;
    const middle = (from + to) / 2;
    const fits = middle - half >= free;
    if (fits) free = middle + half + 2;
    if (Math.max(to, middle + half) < 0 || Math.min(from, middle - half) > width) continue;
    if (texts === "words") {
      context.fillStyle = colours.line;
      context.fillRect(from + 2, top + 6, Math.max(2, to - from - 4), 2);
    }
    if (!fits) continue;
    context.fillStyle = isSettled ? colours.ink : colours.quiet;
    context.fillText(text, middle, top + 40);
  }
}
