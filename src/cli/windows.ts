// Flags for how long recordings are read, the same for every verb that reads them.
import { InvalidArgumentError } from "commander";

function secondsOrOff(text: string): number | "off" {
  if (text === "off") return text;
  const value = Number(text);
  if (text.trim() !== "" && value > 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError("expected a number of seconds above 0, or off.");
}

function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value > 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError("expected a number of seconds above 0.");
}

export const WINDOW_FLAG = [
  "--window <seconds>",
  "recordings above 60 s are read in overlapping windows of so many seconds, or off: whole (default: 720, less of large models; 30 of .onnx upstreams)",
  secondsOrOff,
] as const;
export const OVERLAP_FLAG = [
  "--overlap <seconds>",
  "shared by neighbouring windows, which keep half of it each (default: 4)",
  seconds,
] as const;
