// How tests run: everything under test/, one process per file, generous timeouts for real engine work.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    setupFiles: ["test/setup.ts"],
    pool: "forks",
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    // two processes on two cores: waiting threads must not keep the other process from its work
    env: { STILLWAVE_SPIN: "0" },
  },
});
