#!/usr/bin/env node
// The command: runs dist/, which a checkout builds first where it is out of date.
import { existsSync } from "node:fs";

const builder = new URL("../scripts/build.js", import.meta.url);
if (existsSync(builder)) (await import(builder.href)).buildIfStale();
const { main } = await import("../dist/cli/main.js").catch(tooManyFiles);
process.exitCode = await main(process.argv.slice(2));

/** Node's modules are files too: a limit so low that they cannot be loaded is no bug. */
function tooManyFiles(error) {
  if (error.code !== "EMFILE") throw error;
  console.error("stillwave: this process has too many open files (EMFILE); raise the limit (ulimit -n) and try again");
  process.exit(1);
}
