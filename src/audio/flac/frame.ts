// Decodes single FLAC frames (RFC 9639 section 9) to integers, with both checksums verified.
// Not @wasm-audio-decoders/flac 0.2.11: its decodeFile loses, without an error, the last block of four files of a small
// LibriSpeech, among them 121-127105-0019 (53,248 of 56,400 samples) and 260-123288-0009 (53,248 of 54,960), and reports
// no flipped byte. Its decodeFrames is exact, but needs the frames found first: most of what stands here.
import { crc8, crc16, FlacFrameError, FrameBits } from "./bits.ts";

/** What the stream's header says, for frames that refer to it. */
interface FlacStreamValues {
  readonly sampleRateHz: number;
  readonly channels: number;
  readonly bitsPerSample: number;
}

export interface FlacFrame {
  /** [channels][blockSamples] */
  readonly channelSamples: readonly Int32Array[];
  readonly blockSamples: number;
  /** Length of the frame in bytes. */
  readonly bytes: number;
  /** The number in its header: of its first sample where block sizes vary, of the frame where they do not. */
  readonly number: number;
  readonly hasVariableBlocks: boolean;
}

const BLOCK_SAMPLES = [0, 192, 576, 1152, 2304, 4608, 0, 0, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768];
const RATES_HZ = [0, 88200, 176400, 192000, 8000, 16000, 22050, 24000, 32000, 44100, 48000, 96000];
const BIT_DEPTHS = [0, 8, 12, 0, 16, 20, 24, 32];
/** Fixed predictors of order 0 to 4, as coefficients of the samples before, nearest first. */
const FIXED = [[], [1], [2, -1], [3, -3, 1], [4, -6, 4, -1]];

/** Decodes the frame that `bytes` starts with. @throws FlacFrameError if it is damaged, cut, or contradicts the stream's header. */
export function decodeFlacFrame(bytes: Uint8Array, stream: FlacStreamValues): FlacFrame {
  const bits = new FrameBits(bytes);
  const { blockSamples, assignment, channels, number, hasVariableBlocks } = readHeader(bits, stream);
  const channelSamples: Int32Array[] = [];
  for (let c = 0; c < channels; c++) {
    const isSide = (assignment === 8 && c === 1) || (assignment === 9 && c === 0) || (assignment === 10 && c === 1);
    channelSamples.push(readSubframe(bits, blockSamples, stream.bitsPerSample + (isSide ? 1 : 0)));
  }
  const body = (bits.bit + 7) >>> 3;
  if (body + 2 > bytes.length) throw new FlacFrameError("the file ends inside a frame");
  if (crc16(bytes, body) !== ((bytes[body] << 8) | bytes[body + 1]))
    throw new FlacFrameError("checksum of a frame is wrong");
  if (assignment >= 8) undoStereo(channelSamples[0], channelSamples[1], assignment);
  return { channelSamples, blockSamples, bytes: body + 2, number, hasVariableBlocks };
}

/**
 * Samples of the frame of this stream whose header `bytes` begin with; undefined if they do not: in other data one in 2^23
 * places looks like one.
 */
export function frameSamples(bytes: Uint8Array, stream: FlacStreamValues): number | undefined {
  try {
    return readHeader(new FrameBits(bytes), stream).blockSamples;
  } catch (error) {
    if (error instanceof FlacFrameError) return undefined;
    throw error;
  }
}

function readHeader(bits: FrameBits, stream: FlacStreamValues) {
  if (bits.unsigned(15) !== 0x7ffc) throw new FlacFrameError("no frame where one should begin");
  const hasVariableBlocks = bits.unsigned(1) === 1;
  const blockCode = bits.unsigned(4);
  const rateCode = bits.unsigned(4);
  const assignment = bits.unsigned(4);
  const depthCode = bits.unsigned(3);
  if (bits.unsigned(1) !== 0 || blockCode === 0 || rateCode === 15 || assignment > 10 || depthCode === 3) {
    throw new FlacFrameError("header of a frame is damaged");
  }
  const number = readNumber(bits);
  const blockSamples =
    blockCode === 6 ? bits.unsigned(8) + 1 : blockCode === 7 ? bits.unsigned(16) + 1 : BLOCK_SAMPLES[blockCode];
  const rate =
    rateCode < 12
      ? RATES_HZ[rateCode]
      : rateCode === 12
        ? bits.unsigned(8) * 1000
        : bits.unsigned(16) * [1, 10][rateCode - 13];
  const headerBytes = bits.bit >>> 3;
  if (crc8(bits.bytes, headerBytes) !== bits.unsigned(8))
    throw new FlacFrameError("checksum of a frame's header is wrong");
  const channels = assignment >= 8 ? 2 : assignment + 1;
  const depth = BIT_DEPTHS[depthCode] || stream.bitsPerSample;
  if (channels !== stream.channels || depth !== stream.bitsPerSample || (rate !== 0 && rate !== stream.sampleRateHz)) {
    throw new FlacFrameError(
      `a frame has ${channels} channels of ${depth} bits at ${rate || stream.sampleRateHz} Hz, unlike the file's header`,
    );
  }
  return { blockSamples, assignment, channels, number, hasVariableBlocks };
}

/** The frame or sample number, in a UTF-8 like code: its length in bytes is the number of leading ones. */
function readNumber(bits: FrameBits): number {
  const first = bits.unsigned(8);
  const ones = Math.clz32(~(first << 24));
  if (ones === 1 || ones > 7) throw new FlacFrameError("header of a frame is damaged");
  let number = ones === 0 ? first : first & (0x7f >> ones);
  for (let i = 1; i < ones; i++) number = number * 64 + (bits.unsigned(8) & 63);
  return number;
}

function readSubframe(bits: FrameBits, blockSamples: number, depthWithWaste: number): Int32Array {
  if (bits.unsigned(1) !== 0) throw new FlacFrameError("a subframe is damaged");
  const type = bits.unsigned(6);
  const wasted = bits.unsigned(1) === 1 ? bits.unary() + 1 : 0;
  const depth = depthWithWaste - wasted;
  if (depth < 1) throw new FlacFrameError("a subframe is damaged");
  const out = new Int32Array(blockSamples);
  if (type === 0) out.fill(bits.signed(depth));
  else if (type === 1) {
    if (bits.bit + blockSamples * depth > bits.limit) throw new FlacFrameError("the file ends inside a frame");
    for (let i = 0; i < blockSamples; i++) out[i] = bits.signed(depth);
  } else if (type >= 8 && type <= 12) predicted(bits, out, depth, type - 8, false);
  else if (type >= 32) predicted(bits, out, depth, type - 31, true);
  else throw new FlacFrameError("a subframe of a reserved type");
  if (wasted > 0) for (let i = 0; i < blockSamples; i++) out[i] <<= wasted;
  return out;
}

/** A fixed or linear predictor of `order`: warm-up samples, coefficients, residual, then the samples themselves. */
function predicted(bits: FrameBits, out: Int32Array, depth: number, order: number, isLpc: boolean): void {
  if (order > out.length) throw new FlacFrameError("a predictor longer than its block");
  for (let i = 0; i < order; i++) out[i] = bits.signed(depth);
  let coefficients: readonly number[] = FIXED[order];
  let shift = 0;
  if (isLpc) {
    const precision = bits.unsigned(4) + 1;
    shift = bits.signed(5);
    if (precision === 16 || shift < 0) throw new FlacFrameError("a predictor is damaged");
    coefficients = Array.from({ length: order }, () => bits.signed(precision));
  }
  readResidual(bits, out, order);
  if (order === 0) return;
  // nearest coefficient last, so that both indices rise; sums stay below 2^53 and are exact in doubles
  const reversed = Float64Array.from(coefficients).reverse();
  const scale = 2 ** -shift;
  for (let i = order; i < out.length; i++) {
    let sum = 0;
    for (let k = 0, x = i - order; k < order; k++, x++) sum += reversed[k] * out[x];
    out[i] += Math.floor(sum * scale);
  }
}

/** Rice-coded residual into out[order...]. */
function readResidual(bits: FrameBits, out: Int32Array, order: number): void {
  const method = bits.unsigned(2);
  if (method > 1) throw new FlacFrameError("a residual of a reserved kind");
  const parameterBits = method === 0 ? 4 : 5;
  const escapeCode = (1 << parameterBits) - 1;
  const partitionOrder = bits.unsigned(4);
  const perPartition = out.length >>> partitionOrder;
  if (perPartition << partitionOrder !== out.length || perPartition < order)
    throw new FlacFrameError("a residual is damaged");
  for (let partition = 0; partition < 1 << partitionOrder; partition++) {
    const parameter = bits.unsigned(parameterBits);
    const from = partition === 0 ? order : partition * perPartition;
    const to = (partition + 1) * perPartition;
    if (parameter === escapeCode) {
      const width = bits.unsigned(5);
      for (let i = from; i < to; i++) out[i] = bits.signed(width);
    } else riceCoded(bits, out, from, to, parameter);
    if (bits.bit > bits.limit) throw new FlacFrameError("the file ends inside a frame");
  }
}

function riceCoded(bits: FrameBits, out: Int32Array, from: number, to: number, parameter: number): void {
  for (let i = from; i < to; i++) {
    const window = bits.window();
    const quotient = Math.clz32(window);
    let value: number;
    if (quotient + 1 + parameter <= 32 && quotient < 31) {
      const rest = parameter === 0 ? 0 : (window << (quotient + 1)) >>> (32 - parameter);
      value = ((quotient << parameter) | rest) >>> 0;
      bits.bit += quotient + 1 + parameter;
    } else {
      value = bits.unary() * 2 ** parameter + bits.unsigned(parameter);
    }
    // zigzag: even values are positive
    out[i] = (value & 1) === 0 ? value / 2 : -(value + 1) / 2;
  }
}

function undoStereo(a: Int32Array, b: Int32Array, assignment: number): void {
  for (let i = 0; i < a.length; i++) {
    if (assignment === 8) b[i] = a[i] - b[i];
    else if (assignment === 9) a[i] += b[i];
    else {
      const side = b[i];
      const mid = (a[i] << 1) | (side & 1);
      a[i] = (mid + side) >> 1;
      b[i] = (mid - side) >> 1;
    }
  }
}
