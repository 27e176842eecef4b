// Hidden states of a real recording, from a teacher as it comes: numbered as Hugging Face numbers them.
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { loadAudio, loadUpstream } from "stillwave";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const folder = here("./speech/dev/121/123852");
const recording = readdirSync(folder).find((name) => name.endsWith(".flac"));

// A folder, a fairseq .pt, a Lightning .ckpt, or an id of the hub: what a file is, is decided by its content.
const model = await loadUpstream(here("./hubert-small-libri")); // or "facebook/hubert-base-ls960"
const samples = await loadAudio(`${folder}/${recording}`); // any format and rate, as 16 kHz mono

// State 0 is what layer 0 reads, state k the output of layer k; `layers` are the raw outputs, before any final norm.
const { hiddenStates, layers, maps } = await model.extract(samples, { maps: true });
console.log(`${recording}: ${(samples.length / 16000).toFixed(2)} s, ${layers.length} layers`);
for (const [number, { shape, data }] of hiddenStates.entries()) {
  const norm = Math.hypot(...data.subarray(0, shape[2]));
  console.log(`state ${number}: [${shape}], norm of the first frame ${norm.toFixed(3)}`);
}
for (const [layer, { shape }] of maps) console.log(`attention map of layer ${layer}: [${shape}]`);
await model.dispose();
