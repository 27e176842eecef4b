// The sampling rate that the first bytes of a file tell: browsers decode at whatever rate they are asked for, and do not say.

/** What Opus is decoded at, and most video and recordings have. */
const USUAL_HZ = 48_000;
/** Rates that every browser's audio contexts take. */
const [LOWEST_HZ, HIGHEST_HZ] = [8_000, 96_000];
/** By the two bits in an MPEG audio frame's third byte, for MPEG 1; halves and quarters for 2 and 2.5. */
const MPEG_HZ = [44_100, 48_000, 32_000];

/** The rate of a WAV, FLAC, Ogg Vorbis or MP3 file; 48 kHz for others, and where browsers do not take it. */
export function rateOf(bytes: Uint8Array): number {
  const rate = statedRate(bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)) ?? USUAL_HZ;
  return rate >= LOWEST_HZ && rate <= HIGHEST_HZ ? rate : USUAL_HZ;
}

function statedRate(bytes: Uint8Array, view: DataView): number | undefined {
  const text = (at: number, length: number) => String.fromCharCode(...bytes.subarray(at, at + length));
  if (text(0, 4) === "fLaC" && bytes.length >= 22) return view.getUint32(18) >>> 12;
  if (text(8, 4) === "WAVE") {
    for (let at = 12; at + 16 <= bytes.length; at += 8 + view.getUint32(at + 4, true) + (bytes[at + 4] & 1))
      if (text(at, 4) === "fmt ") return view.getUint32(at + 12, true);
  }
  if (text(0, 4) === "OggS" && text(29, 6) === "vorbis" && bytes.length >= 44) return view.getUint32(40, true);
  const tag = text(0, 3) === "ID3" ? 10 + (bytes[6] << 21) + (bytes[7] << 14) + (bytes[8] << 7) + bytes[9] : 0;
  if (tag + 4 > bytes.length || bytes[tag] !== 0xff || (bytes[tag + 1] & 0xe6) !== 0xe2) return undefined;
  const full = MPEG_HZ[(bytes[tag + 2] >> 2) & 3];
  return full && full >> [2, 0, 1, 0][(bytes[tag + 1] >> 3) & 3];
}
