// Uncompressed audio that is still coming, as from a microphone or a pipe: bytes in, mono samples out at their own rate.
import { StillwaveError } from "../../errors.ts";
import { checkedHeader, downmix } from "../decoded.ts";
import { textAt } from "../format.ts";
import { bytesPerFrame, convertSamples, type PcmFormat } from "./samples.ts";
import { parseWavHeader } from "./wav.ts";

/** A WAV header longer than this is none. */
const MOST_HEADER_BYTES = 2 ** 16;

/** Samples as they come, and their rate, known once the first bytes are there. */
export interface LivePcm {
  readonly sampleRateHz: number;
  readonly pieces: AsyncGenerator<Float32Array, void, undefined>;
}

/**
 * Reads WAV, or samples without a header as `raw` says. What a WAV header says of its length counts for nothing: programs
 * that write to a pipe do not know it.
 * @throws StillwaveError naming `where` for a WAV of which samples are not read
 */
export async function livePcm(bytes: AsyncIterable<Uint8Array>, raw: PcmFormat, where: string): Promise<LivePcm> {
  const source = bytes[Symbol.asyncIterator]();
  let head: Uint8Array = new Uint8Array(0);
  let ended = false;
  let start: { readonly format: PcmFormat; readonly offset: number } | undefined;
  while (!start) {
    const next = await source.next();
    ended = next.done ?? false;
    if (!next.done) head = joined(head, next.value);
    start = startOf(head, raw, ended, where);
  }
  const { format, offset } = start;
  checkedHeader({ ...format, samples: 0 }, where);
  return {
    sampleRateHz: format.sampleRateHz,
    pieces: piecesOf(head.subarray(offset), ended ? undefined : source, format),
  };
}

/** Where the samples begin; undefined where that needs more bytes. */
function startOf(head: Uint8Array, raw: PcmFormat, ended: boolean, where: string) {
  if (head.length < 12 && !ended) return undefined;
  if (!["RIFF", "RIFX", "RF64", "BW64"].some((name) => textAt(head, 0, name)) || !textAt(head, 8, "WAVE"))
    return { format: raw, offset: 0 };
  const layout = parseWavHeader(head, head.length + (ended ? 0 : MOST_HEADER_BYTES), where);
  if (layout) return { format: layout, offset: layout.dataOffset };
  if (head.length > MOST_HEADER_BYTES)
    throw new StillwaveError(`${where}: WAV whose samples do not begin within ${MOST_HEADER_BYTES} bytes`);
  return undefined;
}

async function* piecesOf(
  first: Uint8Array,
  source: AsyncIterator<Uint8Array> | undefined,
  format: PcmFormat,
): AsyncGenerator<Float32Array, void, undefined> {
  const step = bytesPerFrame(format);
  let rest = first;
  try {
    for (;;) {
      const samples = Math.floor(rest.length / step);
      if (samples > 0) yield downmix(convertSamples(rest, { ...format, samples, dataOffset: 0 }).channelSamples);
      rest = rest.slice(samples * step);
      if (!source) return;
      const { done, value } = await source.next();
      if (done) return;
      rest = joined(rest, value);
    }
  } finally {
    await source?.return?.();
  }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
