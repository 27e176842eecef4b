// The downstream heads of the benchmark, as data: what a run records and a saved head is made from again.

/** What a head reads: hidden states of a frozen upstream. */
export interface HeadInput {
  /** Hidden states, combined by learned weights. */
  readonly layers: number;
  readonly dim: number;
}

interface CommonConfig {
  /** Width of the linear layer that every head begins with. */
  readonly projection: number;
  /** Symbols or classes. */
  readonly outputs: number;
  /** Parameter-free LayerNorm of each hidden state before the weighted sum. */
  readonly normalizeStates: boolean;
}

/** Linear(dim -> projection), Linear(projection -> outputs) on every frame: phoneme recognition. */
export interface FrameHeadConfig extends CommonConfig {
  readonly kind: "frames";
}

/** Linear(dim -> projection), bidirectional LSTM layers, Linear(2 hidden -> outputs): speech recognition. */
export interface BiLstmHeadConfig extends CommonConfig {
  readonly kind: "bilstm";
  /** Per direction. */
  readonly hidden: number;
  readonly lstmLayers: number;
  /** After each LSTM layer. */
  readonly dropout: number;
  /** Neighbouring frames of the projected features that are read as one; 1 in the recipe. */
  readonly stack: number;
}

/** Linear(dim -> projection), mean over true frames, Linear(projection -> outputs): one answer an utterance. */
export interface UtteranceHeadConfig extends CommonConfig {
  readonly kind: "utterance";
}

export type HeadConfig = FrameHeadConfig | BiLstmHeadConfig | UtteranceHeadConfig;
