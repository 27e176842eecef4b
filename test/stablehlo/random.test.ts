// Dropout's bits on the device: the hash as written here once more, its means and correlations, and how rows are cut.
import { afterAll, beforeAll, expect, test } from "vitest";
import type { PjrtClient } from "../../src/runtime/xla/client.ts";
import { keepMask } from "../../src/stablehlo/random.ts";
import { describeWithPlugin } from "../runtime/xla/plugin.ts";
import { programOf, runnable } from "./programs.ts";

type Key = readonly [number, number];

/** "lowbias32" of Wellons' search, as published. */
function lowbias32(value: number): number {
  const once = Math.imul(value ^ (value >>> 16), 0x7feb352d);
  const twice = Math.imul(once ^ (once >>> 15), 0x846ca68b);
  return (twice ^ (twice >>> 16)) >>> 0;
}

/** The mask of one row, from the sentence that random.ts begins with: a hash of key, utterance and place. */
function expectedRow([k0, k1]: Key, row: number, site: number, count: number, rate: number): Uint8Array {
  const own = lowbias32(Math.imul(site + 1, 0x9e3779b9) + k0);
  const a = lowbias32(lowbias32(row + own) ^ k1);
  const b = lowbias32(a + 0x9e3779b9);
  const limit = (1 - rate) * 2 ** 32;
  return Uint8Array.from({ length: count }, (_, i) => (lowbias32(lowbias32(i ^ a) + b) < limit ? 1 : 0));
}

test("the hash of this test is the C source's", () => {
  expect([0, 1, 0xdeadbeef].map(lowbias32)).toEqual([0, 1753845952, 3861431939]);
});

const ROWS = 4;
const PLACES = 20_000;

describeWithPlugin("dropout's bits", (openClient) => {
  let client: PjrtClient;
  beforeAll(() => {
    client = openClient();
  });
  afterAll(() => client.close());

  /** Masks of sites 0, 1, ... with these rates: for every site, its rows one after the other. */
  async function masks(rates: readonly number[], shape: readonly number[], rows: number) {
    const program = programOf((writer) => {
      const source = { key: writer.argument("key", [2], "ui32"), firstRow: writer.argument("firstRow", [], "ui32") };
      const of = (rate: number, site: number) => keepMask(writer.emit, source, site, { shape, rows, rate });
      return Object.fromEntries(rates.map((rate, site) => [`${site}`, of(rate, site)]));
    });
    const { run, free } = await runnable(client, program);
    const draw = async (key: Key, firstRow = 0) =>
      Object.values(await run({ key: Uint32Array.from(key), firstRow: Uint32Array.of(firstRow) }));
    return { draw, free };
  }

  test("are those of the hash, for every key, row, site and rate", async () => {
    const rates = [0.1, 0.05, 0.5, 1e-12, 0.99];
    const { draw, free } = await masks(rates, [3, 2, 5, 7], 3);
    const keys: Key[] = [
      [0, 0],
      [1, 2],
      [0xffffffff, 0x80000000],
    ];
    for (const key of keys)
      for (const firstRow of [0, 5, 0xfffffffe])
        for (const [site, mask] of (await draw(key, firstRow)).entries()) {
          const rows = [0, 1, 2].map((row) => expectedRow(key, (firstRow + row) >>> 0, site, 70, rates[site]));
          expect([...mask], `key ${key}, first row ${firstRow}, site ${site}`).toEqual(rows.flatMap((row) => [...row]));
        }
    free();
  });

  test("do not depend on how the rows are cut", async () => {
    const [whole, half] = [await masks([0.3], [4, 100], 4), await masks([0.3], [2, 100], 2)];
    const parts = [...(await half.draw([3, 4], 10)), ...(await half.draw([3, 4], 12))];
    expect(parts.flatMap((part) => [...part])).toEqual([...(await whole.draw([3, 4], 10))[0]]);
    whole.free();
    half.free();
  });

  /** How many deviations two masks' product lies from that of independent ones. */
  function correlation(a: Uint8Array, b: Uint8Array, rate: number): number {
    const count = Math.min(a.length, b.length);
    let sum = 0;
    for (let i = 0; i < count; i++) sum += (a[i] - (1 - rate)) * (b[i] - (1 - rate));
    return sum / (rate * (1 - rate) * Math.sqrt(count));
  }

  test("are kept at the rate, and neighbours, rows, sites and keys know nothing of each other", async () => {
    const [rate, sites] = [0.1, 3];
    const { draw, free } = await masks(new Array(sites).fill(rate), [ROWS, PLACES], ROWS);
    const keys: Key[] = [
      [0, 0],
      [0, 1],
      [1, 0],
      [2, 0],
      [0x12345678, 0x9abcdef0],
      [0x12345679, 0x9abcdef0],
    ];
    // rows of all sites and keys, each with the name of what it is
    const rows: { readonly name: string; readonly row: Uint8Array }[] = [];
    for (const key of keys)
      for (const [site, mask] of (await draw(key)).entries())
        for (let row = 0; row < ROWS; row++)
          rows.push({
            name: `key ${key}, site ${site}, row ${row}`,
            row: mask.subarray(row * PLACES, (row + 1) * PLACES),
          });
    const scores: [string, number][] = rows.flatMap(({ name, row }) => {
      const kept = row.reduce((sum, bit) => sum + bit, 0);
      const mean = (kept - PLACES * (1 - rate)) / Math.sqrt(PLACES * rate * (1 - rate));
      const near = [1, 2, 3, 16, 64, 768].map((distance) => correlation(row.subarray(distance), row, rate));
      return [mean, ...near].map((score): [string, number] => [name, score]);
    });
    for (const [i, a] of rows.entries())
      for (const b of rows.slice(i + 1)) scores.push([`${a.name} and ${b.name}`, correlation(a.row, b.row, rate)]);
    expect(scores.filter(([, score]) => Math.abs(score) >= 5)).toEqual([]);
    // neither are they too good: about a third lies beyond one deviation
    const beyond = scores.filter(([, score]) => Math.abs(score) > 1).length / scores.length;
    expect(beyond).toBeGreaterThan(0.28);
    expect(beyond).toBeLessThan(0.36);
    free();
  });
});
