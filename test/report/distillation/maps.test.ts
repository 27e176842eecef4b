// Attention maps as numbers: areas averaged exactly, opacities, entropies.
import { describe, expect, test } from "vitest";
import { commonTop, headEntropies, mapLevels, shrinkMap } from "../../../src/report/distillation/maps.ts";

describe("attention maps", () => {
  test("shrinking an attention map averages areas and heads exactly", () => {
    const layer = { layer: 0, heads: 2, frames: 4, map: Float32Array.from({ length: 32 }, (_, i) => i) };
    const corner = (head: number) => (0 + 1 + 4 + 5) / 4 + 16 * head;
    expect(shrinkMap(layer, [0], 2)[0]).toBe(corner(0));
    expect(shrinkMap(layer, [0, 1], 2)[0]).toBe((corner(0) + corner(1)) / 2);
    expect([...shrinkMap(layer, [1], 9)]).toEqual([...layer.map.subarray(16)]);
  });

  test("levels of a map are opacities on a square-root scale; an empty map is transparent", () => {
    expect([...mapLevels(Float32Array.of(0, 0.25, 1, 1), 1)]).toEqual([0, 128, 255, 255]);
    expect([...mapLevels(Float32Array.of(0, 0.25, 1, 5), 4)]).toEqual([0, 64, 128, 255]);
    expect([...mapLevels(new Float32Array(4), 1)]).toEqual([0, 0, 0, 0]);
  });

  test("the scale of several maps ends at the larger one's values, never below twice the uniform weight, and says where it is cut", () => {
    const flat = new Float32Array(100).fill(0.1);
    expect(commonTop([flat], 0.1)).toEqual({ top: 0.2, isClipped: false });
    const sharp = Float32Array.from({ length: 100 }, (_, i) => (i % 11 === 0 ? 1 : 0));
    expect(commonTop([flat, sharp], 0.1)).toEqual({ top: 1, isClipped: false });
    const spike = Float32Array.from({ length: 1000 }, (_, i) => (i === 500 ? 9 : 0.5));
    expect(commonTop([spike], 0.01)).toEqual({ top: 0.5, isClipped: true });
  });

  test("entropy of a head is 0 for one frame, ln T for all alike", () => {
    const frames = 5;
    const map = new Float32Array(2 * frames * frames);
    for (let i = 0; i < frames; i++) map[i * frames + i] = 1;
    map.fill(1 / frames, frames * frames);
    const [sharp, broad] = headEntropies({ layer: 0, heads: 2, frames, map });
    expect(sharp).toBe(0);
    expect(broad).toBeCloseTo(Math.log(frames), 6);
  });
});
