// Recognisers in browsers: an exported file by its URL or bytes, on WASM or WebGPU.

import { UsageError } from "../errors.ts";
import { onnxHeader } from "../onnx/header.ts";
import { fetchBytes } from "../runtime/web/fetch.ts";
import { createRuntime, type WebRuntime, type WebRuntimeOptions } from "../runtime/web/index.ts";
import { type SymbolSearch, symbolDecoding } from "../superb/objectives/decoding.ts";
import type { WindowOptions } from "../upstream/windows/plan.ts";
import { checkFile, readFacts } from "./facts.ts";
import { fileSource } from "./file-source.ts";
import { createRecognizer, ctcSpecOf } from "./recognizer.ts";
import type { Recognizer } from "./recognizer.types.ts";

export interface LoadRecognizerOptions extends WebRuntimeOptions, WindowOptions {
  /** Search for the best text by beam search. Default: greedily. */
  readonly decoding?: SymbolSearch;
  /** A runtime that is there already, in place of one that the other options describe. */
  readonly runtime?: WebRuntime;
}

/**
 * Loads a recogniser that `stillwave export` has written.
 * @param model its URL, or the bytes of the file
 * @throws StillwaveError naming what is wrong: not to be had, no recogniser, damaged
 */
export async function loadRecognizer(
  model: string | URL | Uint8Array | ArrayBuffer,
  { runtime, decoding, window, overlap, ...runtimeOptions }: LoadRecognizerOptions = {},
): Promise<Recognizer> {
  const isPlace = typeof model === "string" || model instanceof URL;
  const where = isPlace ? String(model) : "the recogniser";
  const content = isPlace ? await fetchBytes(model) : model;
  const bytes = content instanceof Uint8Array ? content : new Uint8Array(content);
  const facts = readFacts(headerOf(bytes), where);
  const spec = ctcSpecOf(facts);
  if (decoding && !spec)
    throw new UsageError(`${where}: its answers are classes; there is nothing to decode by beam search`);
  const on = runtime ?? (await createRuntime(runtimeOptions));
  const file = await on.open(bytes);
  try {
    checkFile(file, facts, where);
  } catch (error) {
    await file.dispose();
    throw error;
  }
  return createRecognizer(
    facts,
    fileSource(file, facts, { where, bytes: async () => bytes, open: (part) => on.open(part) }),
    {
      decoding: decoding && spec && symbolDecoding(spec, decoding),
      window,
      overlap,
    },
  );
}

const headerOf = (bytes: Uint8Array) =>
  onnxHeader((position, length) => bytes.subarray(position, position + length), bytes.length);
