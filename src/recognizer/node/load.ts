// Recognisers in Node: an exported file by path, URL or bytes, or a run that recognises; recordings by path as well.
import { readFile, stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { probeAudio, type Segment, streamAudio } from "../../audio/index.ts";
import { fetchModel, isHubId } from "../../checkpoint/index.ts";
import { StillwaveError, UsageError } from "../../errors.ts";
import { onnxHeader } from "../../onnx/header.ts";
import type { DeviceChoice } from "../../runtime/device.ts";
import { openOnnxFile } from "../../runtime/node/index.ts";
import { fetchBytes } from "../../runtime/web/fetch.ts";
import { createDecoding } from "../../superb/objectives/open-decoding.ts";
import type { DecodingSettings } from "../../superb/recipe/schema.ts";
import { readOnnxHeader } from "../../upstream/onnx-header.ts";
import { type LongRecording, WHOLE_SECONDS, type WindowOptions } from "../../upstream/windows/plan.ts";
import { checkFile, readFacts } from "../facts.ts";
import { fileSource } from "../file-source.ts";
import { createRecognizer, ctcSpecOf } from "../recognizer.ts";
import type { LogitsSource, Recognizer, RecognizerFacts, RecognizerInput } from "../recognizer.types.ts";
import { isRun, openRecognizerParts } from "./parts.ts";
import { openRun } from "./run-source.ts";

export interface LoadRecognizerOptions extends WindowOptions {
  /** Where to compute; exported files run on `cpu`, `cuda` and `webgpu`. Default: cpu. */
  readonly device?: DeviceChoice;
  /** Threads inside one operation; default: the cores this process may use. */
  readonly threads?: number;
  /** Search for the best text by beam search, with words and a language model. Default: greedily. */
  readonly decoding?: DecodingSettings;
  /** Of a run: where the upstream lies now, if it has moved. */
  readonly upstream?: string;
  /** Takes what the user should know, as words of a language model that the head cannot spell. */
  readonly onNote?: (text: string) => void;
}

/** A file, or a part of one, with its length after resampling to 16 kHz. */
export interface AudioFileSpan {
  readonly path: string;
  readonly samples: number;
  readonly segment?: Segment;
}

/** A waveform, a recording in pieces, the path of an audio file, or a part of one. */
export type FileRecognizerInput = RecognizerInput | string | AudioFileSpan;

/** A recogniser that reads audio files too. */
export type FileRecognizer = Recognizer<FileRecognizerInput>;

/**
 * Loads a recogniser: a file that `stillwave export` has written (its path, URL or bytes), the folder of a run of
 * `stillwave superb` or `stillwave finetune`, or by its id (`org/name`) one that `stillwave push` has sent to the hub.
 * @throws StillwaveError naming what is wrong: not there, no recogniser, damaged
 */
export async function loadRecognizer(
  model: string | URL | Uint8Array | ArrayBuffer,
  options: LoadRecognizerOptions = {},
): Promise<FileRecognizer> {
  const place = model instanceof URL && model.protocol === "file:" ? fileURLToPath(model) : model;
  const opened = await openPlace(place, options);
  try {
    const spec = ctcSpecOf(opened.facts);
    const { decoding, window, overlap, onNote } = options;
    if (decoding && !spec) throw nothingToDecode(String(model));
    const settings = { decoding: decoding && spec && (await createDecoding(spec, decoding, onNote)), window, overlap };
    return withFiles(createRecognizer(opened.facts, opened.source, settings));
  } catch (error) {
    await opened.source.dispose();
    throw error;
  }
}

interface Opened {
  readonly facts: RecognizerFacts;
  readonly source: LogitsSource;
}

async function openPlace(
  place: string | URL | Uint8Array | ArrayBuffer,
  options: LoadRecognizerOptions,
): Promise<Opened> {
  const { device, threads, onNote } = options;
  if (typeof place !== "string") return openFile(place, options);
  if (/^https?:\/\//.test(place)) return openFile(new URL(place), options);
  const info = await stat(place).catch(() => undefined);
  if (!info) return openPlace(await fetchRecognizer(place), options);
  if (info.isFile()) return openFile(place, options);
  return openRun(await openRecognizerParts(place, options.upstream), { device, threads, onNote });
}

/** The folder of a fine-tuned recogniser that was pushed. @throws StillwaveError for what is no place and no such id */
async function fetchRecognizer(id: string): Promise<string> {
  const expected =
    "give an exported recogniser (.onnx), the folder of a run, or the id of a pushed one (organisation/name)";
  if (!isHubId(id) || !id.includes("/") || /\.onnx$/i.test(id))
    throw new StillwaveError(`${id}: not there; ${expected}`);
  const { folder } = await fetchModel(id);
  if (!isRun(folder)) throw new StillwaveError(`${id}: a model without a head; ${expected}`);
  return folder;
}

async function openFile(
  model: string | URL | Uint8Array | ArrayBuffer,
  options: LoadRecognizerOptions,
): Promise<Opened> {
  const { threads, device } = options;
  const where = typeof model === "string" || model instanceof URL ? String(model) : "the recogniser";
  if (options.upstream !== undefined)
    throw new UsageError(`${where}: an exported file holds its upstream; leave it out`);
  const content = model instanceof URL ? await fetchBytes(model) : model;
  const onDisk = typeof content === "string" || content instanceof Uint8Array ? content : new Uint8Array(content);
  const header = typeof onDisk === "string" ? readOnnxHeader(onDisk) : headerOf(onDisk);
  const facts = readFacts(header, where);
  const file = await openOnnxFile(onDisk, { device, threads });
  const parts = {
    where,
    bytes: async () => (typeof onDisk === "string" ? readFile(onDisk) : onDisk),
    open: (bytes: Uint8Array) => openOnnxFile(bytes, { device, threads }),
  };
  try {
    checkFile(file, facts, where);
  } catch (error) {
    await file.dispose();
    throw error;
  }
  return { facts, source: noting(fileSource(file, facts, parts), where, options) };
}

const headerOf = (bytes: Uint8Array) =>
  onnxHeader((position, length) => bytes.subarray(position, position + length), bytes.length);

/** Says once that windows of a long recording are normalised by themselves. */
function noting(source: LogitsSource, where: string, { onNote }: LoadRecognizerOptions): LogitsSource {
  let noted = false;
  return {
    ...source,
    inferLong(recording, settings) {
      if (!noted)
        onNote?.(
          `${where}: recordings above ${WHOLE_SECONDS} s are read in windows of ${settings.windowSeconds} s, each normalised by itself: an exported file takes no statistics of the whole`,
        );
      noted = true;
      return source.inferLong(recording, settings);
    },
  };
}

const nothingToDecode = (model: string) =>
  new StillwaveError(`${model}: its answers are classes; there is nothing to decode by beam search`);

function withFiles(recognizer: Recognizer): FileRecognizer {
  return {
    ...recognizer,
    transcribe: async (input, options) => recognizer.transcribe(await recordingOf(input), options),
    classify: async (input, options) => recognizer.classify(await recordingOf(input), options),
    logits: async (input) => recognizer.logits(await recordingOf(input)),
  };
}

async function recordingOf(input: FileRecognizerInput): Promise<Float32Array | LongRecording> {
  if (typeof input !== "string" && !("path" in input)) return input;
  const { path, samples, segment } =
    typeof input === "string"
      ? { path: input, samples: (await probeAudio(input)).samples16k, segment: undefined }
      : input;
  return { samples, pieces: () => streamAudio(path, segment) };
}
