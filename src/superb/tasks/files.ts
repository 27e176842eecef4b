// Files of a corpus looked at: lengths and parts of those that can be used, the others named.
import { type AudioProbe, MIN_SAMPLES, probeAudio, type Segment } from "../../audio/index.ts";
import { BadFiles, type OnBadFile, reasonOf } from "../../data/bad-files.ts";
import { describeNotes, type FileNote } from "../../data/file-notes.ts";
import { fitTo, type ListedPart } from "../../data/span.ts";

const PARALLEL_PROBES = 32;

/** Lengths and parts of the files that can be used. */
export async function fitsOf<File extends ListedPart & { readonly path: string }>(
  files: readonly File[],
  onBadFile: OnBadFile,
) {
  const bad = new BadFiles();
  const probes = new Map<string, AudioProbe>();
  const fileNotes: FileNote[] = [];
  // background noises are in train and in dev
  const paths = [...new Set(files.map(({ path }) => path))];
  let next = 0;
  const lane = async () => {
    while (next < paths.length) {
      const path = paths[next++];
      try {
        const probe = await probeAudio(path);
        probes.set(path, probe);
        if (probe.note !== undefined) fileNotes.push({ path, note: probe.note });
      } catch (error) {
        bad.add(path, reasonOf(error, path));
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL_PROBES, paths.length) }, lane));
  const fits = new Map<File, { readonly samples: number; readonly segment?: Segment }>();
  const reported = new Set<string>();
  for (const file of files) {
    const probe = probes.get(file.path);
    const fit = probe && fitTo(file, probe, MIN_SAMPLES);
    if (typeof fit === "object") fits.set(file, fit);
    else if (fit !== undefined && !reported.has(file.path + fit)) bad.add(file.path, fit);
    if (fit !== undefined) reported.add(file.path + fit);
  }
  if (onBadFile === "stop") bad.throwIfAny(files.length);
  return { fits, badFiles: bad.sorted(), fileNotes: describeNotes(fileNotes) };
}
