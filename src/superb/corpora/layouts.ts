// How the corpora of every task are laid out: what each is recognised by, what else belongs to it, what folders are called.

/** Something that lies in a corpus: the first of `names` that is there. */
export interface Part {
  readonly what: string;
  readonly names: readonly string[];
  /** `key`: what the layout is recognised by; `needed`: nothing goes without; `useful`: something stands for it. */
  readonly role: "key" | "needed" | "useful";
  /** Setting that the path becomes, where the task does not find it by itself. */
  readonly setting?: "lexicon";
  /** What to do without it. */
  readonly without?: string;
}

export interface Layout {
  /** `LibriSpeech`. */
  readonly name: string;
  /** The benchmark's own corpus: results may be held against published ones. */
  readonly isBenchmark: boolean;
  readonly parts: readonly Part[];
}

/** Corpora of one task: names of folders below a root of data in the order in which they are looked for, and layouts. */
export interface TaskCorpora {
  readonly folders: readonly string[];
  readonly layouts: readonly Layout[];
}

const part = (role: Part["role"], what: string, ...names: string[]): Part => ({ role, what, names });

const TABLE = "labels.tsv";
const CLASS_FOLDERS: Layout = {
  name: "folders of classes",
  isBenchmark: false,
  parts: [
    part("key", "train/<class>/", "train"),
    part("needed", "test/<class>/", "test"),
    { ...part("useful", "dev/<class>/", "dev", "valid", "validation"), without: "a tenth of train is held out" },
  ],
};
const table = (columns: string): Layout => ({
  name: `${TABLE} (columns ${columns})`,
  isBenchmark: false,
  parts: [part("key", TABLE, TABLE)],
});

const LIST_ENDINGS = ["", ".tsv", ".csv", ".jsonl"];
const listed = (...names: string[]) => names.flatMap((name) => LIST_ENDINGS.map((ending) => `${name}${ending}`));

const PHONES: Part = {
  ...part("useful", "phones.txt or a lexicon", "phones.txt", "lexicon.txt", "librispeech-lexicon.txt"),
  without: "name one with --lexicon",
  setting: "lexicon",
};

const SPLITS_OF_SPEECH: Layout = {
  name: "splits of speech",
  isBenchmark: false,
  parts: [
    part("key", "train/, or a list train.tsv", ...listed("train")),
    part("needed", "test/, or a list test.tsv", ...listed("test")),
    {
      ...part("useful", "dev/, or a list dev.tsv", ...listed("dev", "valid", "validation")),
      without: "a tenth of train is held out",
    },
  ],
};

const speech = (...more: Part[]): Layout[] => [
  {
    name: "LibriSpeech",
    isBenchmark: true,
    parts: [
      part("key", "train-clean-100/", "train-clean-100"),
      part("needed", "dev-clean/", "dev-clean"),
      part("needed", "test-clean/", "test-clean"),
      ...more,
    ],
  },
  { ...SPLITS_OF_SPEECH, parts: [...SPLITS_OF_SPEECH.parts, ...more] },
];

const VOXCELEB = ["VoxCeleb1", "voxceleb1"];
const VOXCELEB_WAVES = part("key", "dev/wav/<speaker>/", "dev/wav", "dev", "wav");

const SNIPS: readonly Part[] = [
  part("key", "all.iob.snips.txt", "all.iob.snips.txt"),
  part("needed", "slots.txt", "slots.txt"),
  ...["train", "valid", "test"].map((name) => part("needed", `${name}/`, name)),
];

/** By task. A folder called like the task comes first, whatever its layout. */
export const CORPORA = {
  pr: { folders: ["LibriSpeech", "librispeech"], layouts: speech(PHONES) },
  asr: { folders: ["LibriSpeech", "librispeech"], layouts: speech() },
  ks: {
    folders: ["speech_commands", "SpeechCommands", "."],
    layouts: [
      {
        name: "Speech Commands v1",
        isBenchmark: true,
        parts: [
          part("key", "speech_commands_v0.01/_background_noise_/", "speech_commands_v0.01/_background_noise_"),
          part("needed", "speech_commands_test_set_v0.01/", "speech_commands_test_set_v0.01"),
        ],
      },
      table("label"),
      CLASS_FOLDERS,
    ],
  },
  sid: {
    folders: VOXCELEB,
    layouts: [
      {
        name: "VoxCeleb1",
        isBenchmark: true,
        parts: [
          part("key", "iden_split.txt", "iden_split.txt", "veri_test_class.txt"),
          { ...VOXCELEB_WAVES, role: "needed" },
        ],
      },
      table("speaker"),
      CLASS_FOLDERS,
    ],
  },
  ic: {
    folders: ["fluent_speech_commands_dataset"],
    layouts: [
      {
        name: "Fluent Speech Commands",
        isBenchmark: true,
        parts: [
          part("key", "data/train_data.csv", "data/train_data.csv"),
          part("needed", "data/valid_data.csv", "data/valid_data.csv"),
          part("needed", "data/test_data.csv", "data/test_data.csv"),
          part("needed", "wavs/", "wavs"),
        ],
      },
      table("action, object, location"),
      CLASS_FOLDERS,
    ],
  },
  er: {
    folders: ["IEMOCAP", "iemocap", "IEMOCAP_full_release"],
    layouts: [
      {
        name: "IEMOCAP",
        isBenchmark: true,
        parts: [1, 2, 3, 4, 5].map((n) =>
          part(n === 1 ? "key" : "needed", `Session${n}/dialog/EmoEvaluation/`, `Session${n}/dialog/EmoEvaluation`),
        ),
      },
      table("emotion, and fold, session or speaker"),
    ],
  },
  sf: {
    folders: ["SNIPS", "audio_snips", "snips"],
    layouts: [
      {
        name: "SNIPS spoken by espeak-ng",
        isBenchmark: false,
        parts: [part("key", "voices.tsv", "voices.tsv"), ...SNIPS],
      },
      { name: "Audio SNIPS", isBenchmark: true, parts: SNIPS },
      table("text, slots"),
    ],
  },
  asv: {
    folders: VOXCELEB,
    layouts: [
      {
        name: "VoxCeleb1",
        isBenchmark: true,
        parts: [
          part("key", "voxceleb1_test_v2.txt", "voxceleb1_test_v2.txt", "veri_test.txt"),
          { ...VOXCELEB_WAVES, role: "needed" },
        ],
      },
      table("speaker"),
      SPLITS_OF_SPEECH,
    ],
  },
  sd: {
    folders: ["Libri2Mix", "libri2mix", "LibriMix"],
    layouts: [
      {
        name: "Libri2Mix as Kaldi folders",
        isBenchmark: true,
        parts: ["train", "dev", "test"].flatMap((name, i) => [
          part(i === 0 ? "key" : "needed", `${name}/wav.scp`, `${name}/wav.scp`),
          part("needed", `${name}/segments`, `${name}/segments`, `${name}/rttm`),
        ]),
      },
      {
        name: "mixtures.tsv",
        isBenchmark: false,
        parts: [part("key", "mixtures.tsv", "mixtures.tsv"), part("needed", "utterances.rttm", "utterances.rttm")],
      },
    ],
  },
  qbe: {
    folders: ["quesst14Database", "QUESST2014", "digit-search"],
    layouts: [
      {
        name: "QUESST 2014",
        isBenchmark: true,
        parts: [
          part("key", "scoring/language_key_utterances.lst", "scoring/language_key_utterances.lst"),
          ...["dev", "eval"].flatMap((split) => [
            part("needed", `scoring/language_key_${split}.lst`, `scoring/language_key_${split}.lst`),
            part("needed", `scoring/groundtruth_quesst14_${split}/`, `scoring/groundtruth_quesst14_${split}`),
            part("needed", `${split}_queries/`, `${split}_queries`),
          ]),
          part("needed", "Audio/", "Audio"),
        ],
      },
      {
        name: "queries, documents and truth.tsv",
        isBenchmark: false,
        parts: [
          part("key", "truth.tsv", "truth.tsv"),
          part("needed", "queries/, or a list queries.tsv", ...listed("queries")),
          part("needed", "documents/, or a list documents.tsv", ...listed("documents")),
        ],
      },
    ],
  },
} satisfies Readonly<Record<string, TaskCorpora>>;

export type CorpusTask = keyof typeof CORPORA;
