// The rows of the evidence: what each student changes of evidence/recipe.yaml, and which pairs of rows answer a question.

export interface Row {
  readonly id: string;
  readonly title: string;
  /** What is set in the recipe, as --set takes it. */
  readonly set: readonly string[];
  /** Rows of the paper's questions have two seeds, the others one. */
  readonly seeds: readonly number[];
  /** A model that is there already, instead of one to be distilled. */
  readonly model?: string;
}

/** Widths that keep a student within 1 % of 972,256 parameters without heads. */
const NO_REUSE = ["student.attentionFrom=none", "student.dim=108", "student.ffnDim=354"];

/** In order of importance: a run that is cut off has answered the first questions. */
export const ROWS: readonly Row[] = [
  { id: "teacher", title: "the teacher, hubert-small-libri", set: [], seeds: [0], model: "teacher" },
  { id: "fbank", title: "filterbanks", set: [], seeds: [0], model: "fbank" },
  { id: "exact", title: "exact reuse + masking distillation", set: [], seeds: [0, 1] },
  { id: "none", title: "no reuse + masking distillation", set: NO_REUSE, seeds: [0, 1] },
  ...[
    { id: "front", title: "exact reuse, the teacher's front end copied, 96 wide", width: [96, 392, 16], more: [] },
    { id: "wider", title: "the same, 144 wide", width: [144, 116, 24], more: [] },
    {
      id: "copied",
      title: "2 layers as wide as the teacher's, one map for both, the teacher's input copied",
      width: [192, 216, 16],
      more: [
        "student.layers=2",
        "student.attentionFrom=[0,0]",
        "student.initialise.copyInput=true",
        "student.teacherLayers=[1,4]",
      ],
    },
  ].map(({ id, title, width: [dim, ffnDim, groups], more }) => ({
    id,
    title,
    set: [
      `student.dim=${dim}`,
      `student.ffnDim=${ffnDim}`,
      `student.posConv.groups=${groups}`,
      "student.conv=[[128,10,5],[128,3,2],[128,3,2],[128,3,2],[128,3,2],[128,2,2],[128,2,2]]",
      "student.initialise.copyConv=true",
      "optimizer.peakLr=1.5e-3",
      ...more,
    ],
    seeds: [0],
  })),
  { id: "untrained", title: "untrained (exact reuse)", set: ["run.steps=1", "optimizer.peakLr=1e-12"], seeds: [0, 1] },
  {
    id: "official",
    title: "the released code's reuse + masking distillation",
    set: ["student.reuse=official"],
    seeds: [0, 1],
  },
  {
    id: "distilhubert",
    title: "shallow, DistilHuBERT's kind: 2 layers, L1 and cosine of layers 2, 4 and 6",
    set: [
      "student.layers=2",
      "student.attentionFrom=none",
      "student.dim=156",
      "student.ffnDim=648",
      "masking.probability=0",
      "objectives=[{kind: cosine, teacherLayers: [1, 3, 5], studentLayers: last}]",
    ],
    seeds: [0, 1],
  },
  { id: "unmasked", title: "exact reuse, no masking", set: ["masking.probability=0"], seeds: [0] },
  {
    id: "every-3",
    title: "exact reuse, every 3rd layer computes",
    set: ["student.attentionFrom=every 3", "student.ffnDim=332"],
    seeds: [0],
  },
  {
    id: "upper",
    title: "exact reuse in the upper half only",
    set: ["student.attentionFrom=[0,1,2,3,3,3]", "student.ffnDim=292"],
    seeds: [0],
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
    set: ["student.attentionFrom=none", "student.dim=108", "student.ffnDim=278"],
    seeds: [0],
  },
  {
    id: "gram",
    title: "exact reuse, frames' relations (Gram matrices)",
    set: ["objectives=[{kind: gram}]"],
    seeds: [0],
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
  },
];

/** What a pair of rows answers; a row is better where its error rate is lower. */
export const QUESTIONS: readonly { readonly a: string; readonly b: string; readonly asks: string }[] = [
  { a: "exact", b: "none", asks: "Does reuse gain accuracy at equal parameters?" },
  { a: "exact", b: "none-equal-macs", asks: "At equal computation?" },
  { a: "exact", b: "official", asks: "Is exact reuse better than the released code's?" },
  { a: "exact", b: "unmasked", asks: "Does masking distillation gain anything?" },
  { a: "exact", b: "distilhubert", asks: "Are deep and thin students better than shallow ones?" },
  { a: "exact", b: "gram", asks: "Are frames' relations a better target than layers?" },
  { a: "exact", b: "units", asks: "Are the teacher's states a better target than clusters of them?" },
  { a: "layers-gram", b: "exact", asks: "And both together?" },
  { a: "exact", b: "every-3", asks: "Does a map serve three layers as well as two?" },
  { a: "exact", b: "pattern", asks: "In pairs, or as the teacher's maps say?" },
  { a: "exact", b: "upper", asks: "Is it enough to reuse in the upper half?" },
  { a: "exact", b: "front", asks: "A front end of one's own, or the teacher's and narrower layers?" },
  { a: "exact", b: "fbank", asks: "Is a student better than filterbanks?" },
  { a: "exact", b: "untrained", asks: "Is it the distillation, or the architecture?" },
  { a: "front", b: "fbank", asks: "Is the one with the teacher's front end?" },
  { a: "teacher", b: "exact", asks: "What does the student lose?" },
  { a: "teacher", b: "front", asks: "And the one with the teacher's front end?" },
  { a: "wider", b: "front", asks: "Wider and with less between: are its states better?" },
  { a: "copied", b: "front", asks: "Few wide layers that begin as the teacher's, or six narrow ones?" },
  { a: "teacher", b: "copied", asks: "What do few wide layers lose?" },
];
