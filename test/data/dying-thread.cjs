// Preloaded into threads by a test: ends them at once.
const { isMainThread } = require("node:worker_threads");

if (!isMainThread) process.exit(3);
