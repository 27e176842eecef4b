// The page: one sound, and several ways of looking at it. Controls, tabs, drops and devices come together here.
import { decodeFile, MAX_SECONDS } from "./audio/decode.ts";
import { Envelope } from "./audio/envelope.ts";
import { type Microphone, openMicrophone } from "./audio/microphone.ts";
import { Player } from "./audio/player.ts";
import { drawStage, type Scene } from "./drawing/stage.ts";
import { Engine } from "./model/engine.ts";
import type { Heard, Recognised } from "./model/protocol.ts";
import { keepOffline } from "./offline/register.ts";
import { AttentionLens } from "./views/attention.ts";
import { setUpDrops } from "./views/drops.ts";
import { element, secondsText, sentenceOf } from "./views/elements.ts";
import type { Lens, Look } from "./views/lens.ts";
import { RecogniserLens } from "./views/recogniser.ts";
import { StudentLens } from "./views/student.ts";
import { setUpTabs } from "./views/tabs.ts";
import { YoursLens } from "./views/yours.ts";

type Device = "auto" | "wasm" | "webgpu";

const canvas = element<HTMLCanvasElement>("waveform");
const speak = element<HTMLButtonElement>("speak");
const position = element<HTMLInputElement>("position");
const level = element<HTMLMeterElement>("level");
const player = new Player();

const yours = new YoursLens();
const words = { digits: RecogniserLens.builtIn("digits"), "wake-words": RecogniserLens.builtIn("wake-words") };
const lenses: Readonly<Record<string, Lens>> = {
  phones: RecogniserLens.builtIn("phones"),
  student: new StudentLens(),
  attention: new AttentionLens(() => draw()),
  yours,
};

let engine = new Engine();
let started: Promise<string> | undefined;
let lens: Lens = words.digits;
let envelope: Envelope | undefined;
let heard: readonly Heard[] = [];
let tint: Look["tint"] = null;
let live: { readonly microphone: Microphone; readonly since: number; milliseconds: number } | undefined;
/** Counts what was asked for: what comes back late belongs to nobody. */
let turn = 0;

function say(text: string, failed = false): void {
  element("sentence").textContent = text;
  element("sentence").classList.toggle("failed", failed);
}

/** What fails ends as one sentence. */
const guarded =
  <A extends unknown[]>(action: (...args: A) => Promise<void>) =>
  (...args: A): Promise<void> =>
    action(...args).catch((error: unknown) => {
      say(sentenceOf(error), true);
      showControls();
    });

// ---- pictures

function scene(): Scene | undefined {
  if (!envelope || envelope.length === 0) return undefined;
  const at = live ? 0 : player.position;
  return {
    envelope,
    heard,
    texts: lens.texts,
    liveSeconds: live ? (performance.now() - live.since) / 1000 : null,
    position: at,
    isFitted: lens.isFitted && !live,
    tint: tint ? (seconds) => tint?.(seconds, at) ?? 1 : null,
  };
}

function draw(): void {
  drawStage(canvas, scene());
  if (envelope && !live) lens.moveTo(player.position / Math.max(envelope.seconds, 0.01));
}

let isMoving = false;
/** Draws for as long as something moves. */
function move(): void {
  if (isMoving) return;
  isMoving = true;
  const step = () => {
    draw();
    if (live && envelope) showLevel(envelope.levelAt(envelope.length));
    else if (player.isPlaying) position.value = String(player.position);
    isMoving = live !== undefined || player.isPlaying;
    if (isMoving) requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}

const showLevel = (value: number) => {
  level.value = Math.round(100 * value);
};

function showControls(isReady = true): void {
  const hasSound = envelope !== undefined && envelope.length > 0 && !live;
  speak.disabled = !isReady;
  speak.setAttribute("aria-pressed", String(live !== undefined));
  speak.querySelector("span")!.textContent = live ? "Stop" : "Speak";
  element<HTMLButtonElement>("example").disabled = !isReady || live !== undefined;
  element<HTMLInputElement>("file").disabled = !isReady || live !== undefined;
  element<HTMLButtonElement>("play").disabled = !hasSound;
  element("play").textContent = player.isPlaying ? "Pause" : "Play";
  position.hidden = !hasSound;
}

// ---- looking

function showLens(): void {
  element("idea").textContent = lens.idea;
  element("credits").textContent = lens.credits;
  element("vocabularies").hidden = !Object.values<Lens>(words).includes(lens);
}

/** Opens what the lens needs, and looks at the sound that there is. */
async function openLens(): Promise<void> {
  const mine = ++turn;
  showLens();
  showControls(false);
  say("Loading …");
  started ??= startEngine(engine);
  element("engine").textContent = await started;
  await lens.prepare(engine);
  if (mine !== turn) return;
  lens.enter();
  showLens();
  showControls();
  say(lens.invitation);
  draw();
  if (envelope && envelope.length > 0) await look(null);
}

async function startEngine(on: Engine): Promise<string> {
  on.onHeard = hearing;
  const { device, threads } = await on.start(element<HTMLSelectElement>("device").value as Device);
  if (device === "webgpu") return "WebGPU";
  return `WASM, ${threads} thread${threads === 1 ? "" : "s"}`;
}

async function look(recognised: Recognised | null, note = ""): Promise<void> {
  if (!envelope) return;
  const mine = ++turn;
  say("Computing …");
  const found = await lens.look(engine, envelope.wave, recognised);
  if (mine !== turn) return;
  ({ heard, tint } = found);
  say(note + found.sentence);
  showControls();
  draw();
}

async function changeLens(next: Lens): Promise<void> {
  if (live) await stop(false);
  lens.leave();
  heard = [];
  tint = null;
  lens = next;
  await openLens();
}

// ---- sound

function take(wave: Float32Array): Envelope {
  const whole = new Envelope();
  whole.push(wave);
  player.load(whole.wave);
  position.max = String(whole.seconds);
  position.value = "0";
  canvas.setAttribute("aria-label", `Waveform of ${secondsText(whole.seconds)} of sound`);
  return whole;
}

async function openFile(file: File): Promise<void> {
  const { wave, isCut } = await decodeFile(file);
  envelope = take(wave);
  heard = [];
  tint = null;
  await look(null, isCut ? `The first ${MAX_SECONDS} s of ${file.name}: ` : "");
}

async function start(): Promise<void> {
  player.unload();
  const growing = new Envelope();
  const on = engine;
  if (lens.recogniser) await on.ask({ type: "listen", model: lens.recogniser });
  const microphone = await openMicrophone(
    (samples) => {
      const taken = growing.push(samples);
      if (lens.recogniser && taken > 0) on.ask({ type: "hear", samples: samples.slice(0, taken) }).catch(lost);
      if (taken < samples.length && live) switchMicrophone(stop);
    },
    () => switchMicrophone(stop),
  );
  turn++;
  envelope = growing;
  heard = [];
  tint = null;
  live = { microphone, since: performance.now() - 1000 * growing.seconds, milliseconds: 0 };
  lens.listening([]);
  showControls();
  say("Listening: the newest sound is at the right, and moves to the left.");
  move();
}

const lost = (error: unknown) => say(sentenceOf(error), true);

function hearing({ heard: parts, milliseconds }: Recognised): void {
  if (!live) return;
  live.milliseconds += milliseconds;
  heard = lens.shown(parts);
  lens.listening(parts);
}

async function stop(isWanted = true): Promise<void> {
  if (!live || !envelope) return;
  const { microphone, milliseconds } = live;
  say("Computing …");
  await microphone.stop();
  const recognised = lens.recogniser ? await engine.ask({ type: "finish" }) : null;
  live = undefined;
  showLevel(0);
  if (envelope.length === 0) {
    envelope = undefined;
    showControls();
    return say("The microphone gave no sound.", true);
  }
  envelope = take(envelope.wave);
  showControls();
  if (!isWanted) return;
  await look(recognised && { ...recognised, milliseconds: recognised.milliseconds + milliseconds });
}

/** One start or stop at a time. The button is not disabled meanwhile: whoever holds it by the keyboard would lose it. */
let isSwitching = false;
const switchMicrophone = guarded(async (action: () => Promise<void>) => {
  if (isSwitching) return;
  isSwitching = true;
  await action().finally(() => {
    isSwitching = false;
  });
});

// ---- what a visitor does

speak.onclick = () => switchMicrophone(() => (live ? stop() : start()));
element("play").onclick = guarded(() => player.toggle());
player.onChange = () => {
  showControls(!speak.disabled);
  move();
};
position.oninput = () => {
  player.position = Number(position.value);
  position.setAttribute("aria-valuetext", secondsText(player.position));
  draw();
};
element("example").onclick = guarded(async () => {
  const response = await fetch(new URL(lens.example, document.baseURI));
  if (!response.ok) throw new Error(`The example cannot be had: the server answers ${response.status}.`);
  await openFile(new File([await response.arrayBuffer()], "The example"));
});

/** A file that was chosen or dropped: sound for the tab that is open, or a model. */
async function bring(file: File): Promise<void> {
  if (live) await stop(false);
  if (!/\.(onnx|ort|safetensors|pt|pth|bin|ckpt)$/i.test(file.name)) return openFile(file);
  say(`Opening ${file.name} …`);
  await started;
  await yours.bring(engine, file);
  element("tab-yours").click();
  await changeLens(yours);
}
const guardedBring = guarded(bring);

for (const id of ["file", "model"])
  element<HTMLInputElement>(id).onchange = ({ target }) => {
    const input = target as HTMLInputElement;
    const file = input.files?.[0];
    if (file) guardedBring(file).then(() => (input.value = ""));
  };
setUpDrops(guardedBring);

setUpTabs(element("tabs"), element("panel"), (id) => guarded(changeLens)(lenses[id] ?? chosenWords()));
const chosenWords = () => {
  const chosen = document.querySelector<HTMLInputElement>("[name=vocabulary]:checked");
  return chosen?.value === "wake-words" ? words["wake-words"] : words.digits;
};
for (const input of document.querySelectorAll<HTMLInputElement>("[name=vocabulary]"))
  input.onchange = () => guarded(changeLens)(chosenWords());

element("device").onchange = guarded(async () => {
  if (live) await stop(false);
  engine.end();
  engine = new Engine();
  started = undefined;
  await openLens();
});

async function offerGpu(): Promise<void> {
  const adapter = await (navigator as { gpu?: { requestAdapter(): Promise<unknown> } }).gpu?.requestAdapter();
  if (adapter) element("device").append(new Option("the graphics card (WebGPU)", "webgpu"));
}

addEventListener("resize", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
document.fonts.ready.then(draw);
offerGpu().catch(() => {});
draw();
guarded(openLens)().then(() => keepOffline());
