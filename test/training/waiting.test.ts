// The share of time that training waits for speech.
import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import { Waiting } from "../../src/training/waiting.ts";

test("the share counts all updates since the last row, and a wait that fails too", async () => {
  const waiting = new Waiting();
  expect(waiting.shareAfter(0)).toBe(0);
  expect(await waiting.during(setTimeout(40, "batch"))).toBe("batch");
  const first = waiting.shareAfter(0.4);
  expect(first).toBeGreaterThan(0.09);
  expect(waiting.shareAfter(0.4)).toBeCloseTo(first / 2, 6);
  await expect(waiting.during(Promise.reject(new Error("gone")))).rejects.toThrow("gone");
  waiting.restart();
  expect(waiting.shareAfter(1)).toBe(0);
});
