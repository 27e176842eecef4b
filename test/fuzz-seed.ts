// Properties are tried on the same cases in every run: a change fails for what it changed. FUZZ_SEED tries others.
import fc from "fast-check";

fc.configureGlobal({ seed: Number(process.env.FUZZ_SEED ?? 2026) });
