// How well units and phones agree over the frames of a corpus (arXiv:2106.07447 section IV-C).

/** Shares in [0, 1]. */
export interface UnitQuality {
  /** Frames whose phone is the most frequent one of their unit. */
  readonly phonePurity: number;
  /** Frames whose unit is the most frequent one of their phone. */
  readonly clusterPurity: number;
  /** Mutual information of phones and units, as a share of the entropy of phones (PNMI). */
  readonly pnmi: number;
  readonly frames: number;
}

/** Frames by phone and unit. */
export class Contingency {
  private readonly clusters: number;
  private readonly phones = new Map<string, Float64Array>();

  constructor(clusters: number) {
    this.clusters = clusters;
  }

  add(phone: string, unit: number): void {
    const counts = this.phones.get(phone) ?? new Float64Array(this.clusters);
    this.phones.set(phone, counts);
    counts[unit]++;
  }

  /** NaN without frames; PNMI is 0 where there is one phone alone. */
  quality(): UnitQuality {
    const table = [...this.phones.values()];
    const byUnit = Array.from({ length: this.clusters }, (_, unit) => table.map((counts) => counts[unit]));
    const sum = (values: Iterable<number>) => [...values].reduce((total, value) => total + value, 0);
    const most = (values: Iterable<number>) => Math.max(0, ...values);
    const frames = sum(table.map(sum));
    const entropy = (values: Iterable<number>) =>
      sum([...values].map((count) => (count > 0 ? -(count / frames) * Math.log(count / frames) : 0)));
    const ofPhones = entropy(table.map(sum));
    const mutual = ofPhones + entropy(byUnit.map(sum)) - entropy(table.flatMap((counts) => [...counts]));
    return {
      phonePurity: sum(byUnit.map(most)) / frames,
      clusterPurity: sum(table.map(most)) / frames,
      pnmi: ofPhones > 0 ? Math.max(0, mutual) / ofPhones : frames > 0 ? 0 : Number.NaN,
      frames,
    };
  }
}
