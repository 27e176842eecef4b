// Cuts what was decoded from all packets of an Ogg stream to the samples that its pages count.
import { StillwaveError } from "../../errors.ts";
import type { DecodedAudio } from "../decoded.ts";
import { AGAIN } from "./reader.ts";
import type { OggStream } from "./stream.ts";

/** @throws StillwaveError naming `path`, at the end, where fewer could be decoded */
export async function* cutToPages(
  pieces: Iterable<DecodedAudio> | AsyncIterable<DecodedAudio>,
  { skip, header }: OggStream,
  path: string,
): AsyncGenerator<DecodedAudio, void, undefined> {
  if (header.samples === 0) throw new StillwaveError(`${path}: holds no samples`);
  let at = -skip;
  for await (const { channelSamples, sampleRateHz } of pieces) {
    const [start, end] = [Math.max(0, -at), Math.max(0, header.samples - at)];
    at += channelSamples[0].length;
    const cut = channelSamples.map((channel) => channel.subarray(start, end));
    if (cut[0].length > 0) yield { channelSamples: cut, sampleRateHz, note: header.note };
  }
  if (at < header.samples)
    throw new StillwaveError(
      `${path}: damaged: its pages count ${header.samples} samples, ${at} could be decoded; ${AGAIN}`,
    );
}
