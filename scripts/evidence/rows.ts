// The rows of the evidence: what each student changes of its teacher's recipe, and which pairs of rows answer a question.

/** The teachers, and what their students are distilled by. */
export const RECIPES = {
  "hubert-small-libri": "evidence/recipe.yaml",
  "hubert-mid-libri": "evidence/deep.yaml",
} as const;

export type Teacher = keyof typeof RECIPES;

export interface Row {
  readonly id: string;
  readonly title: string;
  readonly teacher: Teacher;
  /** What is set in the teacher's recipe, as --set takes it. */
  readonly set: readonly string[];
  /** Rows of the paper's questions have two seeds, the others one. */
  readonly seeds: readonly number[];
  /** What is probed instead of a student that is distilled here: the teacher, filterbanks, or a student that another command leaves. */
  readonly model?: "teacher" | "fbank" | LeftStudent;
  /** Its numbers and predictions are kept, its student is not: evidence/ stays below 30 MB. Its command makes it again. */
  readonly isRemade?: boolean;
}

/** A student's folder, and the command that leaves it there. */
export interface LeftStudent {
  readonly folder: string;
  readonly command: string;
}

/** What a row of one seed is called: its folder, and in tables. */
export const nameOf = (id: string, seed: number): string => `${id}-${seed}`;

/** Widths that keep a student within 0.1 % of 974,992 parameters without heads. */
const NO_REUSE = ["student.attentionFrom=none", "student.ffnDim=344"];

/** Few layers as wide as the teacher's, which take its input over. */
const WIDE = [
  "student.layers=2",
  "student.dim=192",
  "student.teacherLayers=[1,4]",
  "student.initialise.copyInput=true",
];

const WIDE_REUSE = [...WIDE, "student.ffnDim=216", "student.attentionFrom=[0,0]"];

/** What main rows are asked again with: 1,600 updates are 4.7 passes. */
const TWENTY_PASSES = "run.steps=6800";

/** Few and wider layers, learning the teacher's as DistilHuBERT does (arXiv:2110.01900). */
const SHALLOW = [
  "student.layers=2",
  "student.attentionFrom=none",
  "student.dim=144",
  "student.ffnDim=618",
  "masking.probability=0",
  "objectives=[{kind: cosine, teacherLayers: [1, 3, 5], studentLayers: last}]",
];

/** One update that changes nothing. */
const UNTRAINED = ["run.steps=1", "optimizer.peakLr=1e-12"];

type Asked = Omit<Row, "teacher">;

const SMALL: readonly Asked[] = [
  { id: "teacher", title: "the teacher, hubert-small-libri", set: [], seeds: [0], model: "teacher" },
  { id: "fbank", title: "filterbanks", set: [], seeds: [0], model: "fbank" },
  { id: "exact", title: "exact reuse + masking distillation", set: [], seeds: [0, 1] },
  { id: "none", title: "no reuse + masking distillation", set: NO_REUSE, seeds: [0, 1] },
  {
    id: "front",
    title: "exact reuse, the convolutions learn too",
    set: ["student.freezeConv=false"],
    seeds: [0],
    isRemade: true,
  },
  {
    id: "copied",
    title: "2 layers as wide as the teacher's, one map for both, the convolutions learn too",
    set: [...WIDE_REUSE, "student.freezeConv=false", "run.steps=1500"],
    seeds: [0],
  },
  {
    id: "wide",
    title: "2 layers as wide as the teacher's, one map for both",
    set: WIDE_REUSE,
    seeds: [0, 1],
  },
  {
    id: "wide-none",
    title: "2 layers as wide as the teacher's, no reuse",
    set: [...WIDE, "student.ffnDim=120", "student.attentionFrom=none"],
    seeds: [0, 1],
  },
  {
    id: "wider",
    title: "exact reuse, 144 wide",
    set: ["student.dim=144", "student.ffnDim=116", "student.posConv.groups=24"],
    seeds: [0],
    isRemade: true,
  },
  { id: "untrained", title: "exact reuse, untrained", set: UNTRAINED, seeds: [0, 1], isRemade: true },
  {
    id: "wide-untrained",
    title: "2 layers as wide as the teacher's, one map for both, untrained",
    set: [...WIDE_REUSE, ...UNTRAINED],
    seeds: [0],
    isRemade: true,
  },
  {
    id: "official",
    title: "the released code's reuse + masking distillation",
    set: ["student.reuse=official"],
    seeds: [0, 1],
  },
  {
    id: "distilhubert",
    title: "shallow, DistilHuBERT's kind: 2 layers, L1 and cosine of layers 2, 4 and 6",
    set: SHALLOW,
    seeds: [0, 1],
  },
  { id: "exact-20", title: "exact reuse + masking distillation, 20 passes", set: [TWENTY_PASSES], seeds: [0, 1] },
  {
    id: "none-20",
    title: "no reuse + masking distillation, 20 passes",
    set: [...NO_REUSE, TWENTY_PASSES],
    seeds: [0, 1],
    isRemade: true,
  },
  {
    id: "official-20",
    title: "the released code's reuse + masking distillation, 20 passes",
    set: ["student.reuse=official", TWENTY_PASSES],
    seeds: [0, 1],
    isRemade: true,
  },
  {
    id: "distilhubert-20",
    title: "shallow, DistilHuBERT's kind, 20 passes",
    set: [...SHALLOW, TWENTY_PASSES],
    seeds: [0, 1],
    isRemade: true,
  },
  { id: "unmasked", title: "exact reuse, no masking", set: ["masking.probability=0"], seeds: [0, 1] },
  {
    id: "every-3",
    title: "exact reuse, every 3rd layer computes",
    set: ["student.attentionFrom=every 3", "student.ffnDim=408"],
    seeds: [0],
    isRemade: true,
  },
  {
    id: "upper",
    title: "exact reuse in the upper half only",
    set: ["student.attentionFrom=[0,1,2,3,3,3]", "student.ffnDim=376"],
    seeds: [0],
    isRemade: true,
  },
  {
    id: "pattern",
    title: "exact reuse by the teacher's own maps: layers 1, 2 and 3 compute",
    set: ["student.attentionFrom=[0,1,2,2,2,2]"],
    seeds: [0],
  },
  {
    id: "none-equal-macs",
    title: "no reuse, the computation of exact reuse",
    set: ["student.attentionFrom=none", "student.ffnDim=220"],
    seeds: [0, 1],
  },
  {
    id: "gram",
    title: "exact reuse, frames' relations (Gram matrices)",
    set: ["objectives=[{kind: gram}]"],
    seeds: [0],
    isRemade: true,
  },
  {
    id: "units",
    title: "exact reuse, masked units of the teacher's layer 5",
    set: ["objectives=[{kind: units, layer: 5, clusters: 300}]"],
    seeds: [0],
  },
  {
    id: "layers-gram",
    title: "exact reuse, layers and frames' relations",
    set: ["objectives=[{kind: layers, weight: 1}, {kind: gram, weight: 1}]"],
    seeds: [0],
    isRemade: true,
  },
  {
    id: "quickstart",
    title: "the quickstart's student: 2 layers as wide as the teacher's, 600 updates on five minutes of speech",
    set: [],
    seeds: [0],
    model: { folder: "runs/quickstart/best", command: "npm run quickstart" },
  },
  {
    id: "best",
    title: "the best together: 2 layers as wide as the teacher's, one map for both, no masking",
    set: [...WIDE_REUSE, "masking.probability=0"],
    seeds: [0],
    isRemade: true,
  },
];

/** Twice as deep, at a third of a larger teacher: whether upper layers change what reuse buys. */
const DEEP: readonly Asked[] = [
  { id: "deep-teacher", title: "the deeper teacher, hubert-mid-libri", set: [], seeds: [0], model: "teacher" },
  { id: "deep-exact", title: "12 layers, exact reuse + masking distillation", set: [], seeds: [0], isRemade: true },
  {
    id: "deep-none",
    title: "12 layers, no reuse + masking distillation",
    set: ["student.attentionFrom=none", "student.ffnDim=432"],
    seeds: [0],
    isRemade: true,
  },
  {
    id: "deep-official",
    title: "12 layers, the released code's reuse + masking distillation",
    set: ["student.reuse=official"],
    seeds: [0],
    isRemade: true,
  },
];

/** In order of importance: a run that is cut off has answered the first questions. */
export const ROWS: readonly Row[] = [
  ...SMALL.map((row): Row => ({ ...row, teacher: "hubert-small-libri" })),
  ...DEEP.map((row): Row => ({ ...row, teacher: "hubert-mid-libri" })),
];

/** What a pair of rows answers; a row is better where its error rate is lower. */
export const QUESTIONS: readonly { readonly a: string; readonly b: string; readonly asks: string }[] = [
  { a: "exact", b: "none", asks: "Does reuse gain accuracy at equal parameters?" },
  { a: "exact-20", b: "none-20", asks: "Does reuse gain accuracy at equal parameters, after 20 passes?" },
  { a: "exact-20", b: "exact", asks: "Do 20 passes gain anything over 4.7?" },
  { a: "none-20", b: "none", asks: "Do 20 passes gain anything over 4.7 without reuse?" },
  { a: "official-20", b: "official", asks: "Do 20 passes gain anything over 4.7 with the released code's reuse?" },
  { a: "distilhubert-20", b: "distilhubert", asks: "Do 20 passes gain anything over 4.7 in shallow students?" },
  {
    a: "official-20",
    b: "none-20",
    asks: "Does the released code's reuse gain accuracy at equal parameters, after 20 passes?",
  },
  { a: "official", b: "none", asks: "Does the released code's reuse gain accuracy at equal parameters?" },
  { a: "exact-20", b: "official-20", asks: "Is exact reuse better than the released code's, after 20 passes?" },
  {
    a: "exact-20",
    b: "distilhubert-20",
    asks: "Are deep and thin students better than shallow ones, after 20 passes?",
  },
  { a: "deep-exact", b: "deep-none", asks: "Does reuse gain accuracy at equal parameters, in 12 layers?" },
  { a: "deep-exact", b: "deep-official", asks: "Is exact reuse better than the released code's, in 12 layers?" },
  { a: "deep-teacher", b: "deep-exact", asks: "What do students of 12 layers lose of their teacher?" },
  { a: "teacher", b: "exact-20", asks: "What does a student of 20 passes lose of its teacher?" },
  { a: "exact", b: "none-equal-macs", asks: "Does reuse gain accuracy at equal computation?" },
  { a: "exact", b: "official", asks: "Is exact reuse better than the released code's?" },
  { a: "exact", b: "unmasked", asks: "Does masking distillation gain anything?" },
  { a: "exact", b: "distilhubert", asks: "Are deep and thin students better than shallow ones?" },
  { a: "exact", b: "gram", asks: "Are frames' relations a better target than layers?" },
  { a: "exact", b: "units", asks: "Are the teacher's states a better target than clusters of them?" },
  { a: "layers-gram", b: "exact", asks: "Are layers and frames' relations together better than layers?" },
  {
    a: "best",
    b: "wide",
    asks: "Does leaving masking out, best in six narrow layers, gain anything in two wide ones?",
  },
  { a: "teacher", b: "best", asks: "What does the best of each together lose of its teacher?" },
  { a: "exact", b: "every-3", asks: "Is a map for two layers better than one for three?" },
  { a: "exact", b: "pattern", asks: "Is reuse in pairs better than what the teacher's maps say?" },
  { a: "exact", b: "upper", asks: "Is reuse in pairs better than in the upper half only?" },
  { a: "exact", b: "front", asks: "Do convolutions that learn gain anything?" },
  { a: "exact", b: "fbank", asks: "Is a student better than filterbanks?" },
  { a: "exact", b: "untrained", asks: "What does distillation add to the architecture?" },
  { a: "front", b: "untrained", asks: "What does distillation add where the convolutions learn too?" },
  { a: "wide", b: "wide-untrained", asks: "What does distillation add where the teacher's input is copied?" },
  {
    a: "copied",
    b: "wide-untrained",
    asks: "What does distillation add to a copied input where the convolutions learn too?",
  },
  {
    a: "quickstart",
    b: "wide-untrained",
    asks: "What do the quickstart's three minutes add where the teacher's input is copied?",
  },
  { a: "quickstart", b: "fbank", asks: "Is the quickstart's student better than filterbanks?" },
  { a: "front", b: "fbank", asks: "Is a student whose convolutions learn better than filterbanks?" },
  { a: "teacher", b: "exact", asks: "What does a student lose of its teacher?" },
  { a: "teacher", b: "front", asks: "What does a student lose whose convolutions learn?" },
  { a: "wider", b: "exact", asks: "Are wider layers with less between better?" },
  { a: "wide", b: "exact", asks: "Are few wide layers that begin as the teacher's better than six narrow ones?" },
  { a: "wide", b: "wide-none", asks: "Does reuse gain accuracy in wide layers, at equal parameters?" },
  { a: "wide", b: "copied", asks: "Do convolutions that stay the teacher's lose anything in wide layers?" },
  {
    a: "copied",
    b: "front",
    asks: "Are few wide layers better than six narrow ones where the convolutions learn too?",
  },
  { a: "teacher", b: "wide", asks: "What do few wide layers lose of their teacher?" },
  {
    a: "teacher",
    b: "copied",
    asks: "What do few wide layers lose of their teacher where the convolutions learn too?",
  },
];
