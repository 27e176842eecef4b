// Numbers on the command line: parsers for commander's options, each with what it expects.
import { InvalidArgumentError } from "commander";
import { MAX_THREADS } from "../runtime/runtime.ts";

export function finiteNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) throw new InvalidArgumentError("expected a number.");
  return value;
}

export function positiveNumber(text: string): number {
  const value = finiteNumber(text);
  if (value <= 0) throw new InvalidArgumentError("expected a number above 0.");
  return value;
}

/** 0, 1, 2, ... */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isSafeInteger(value) || value < 0)
    throw new InvalidArgumentError("expected a whole number, 0 or more.");
  return value;
}

/** 1, 2, 3, ... */
export function countingNumber(text: string): number {
  const value = wholeNumber(text);
  if (value === 0) throw new InvalidArgumentError("expected a whole number, 1 or more.");
  return value;
}

/** As many threads as a recipe's run.threads may name. */
export function threadCount(text: string): number {
  const value = countingNumber(text);
  if (value > MAX_THREADS) throw new InvalidArgumentError(`expected a whole number, 1 to ${MAX_THREADS}.`);
  return value;
}

/** A parser of lists such as 0,6,12. */
export const numberList =
  (expected = "whole numbers like 0,6,12") =>
  (text: string): number[] => {
    const items = text.split(",").map((item) => item.trim());
    if (!items.every((item) => /^\d{1,4}$/.test(item))) throw new InvalidArgumentError(`expected ${expected}.`);
    return items.map(Number);
  };
