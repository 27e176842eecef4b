#!/usr/bin/env node
// The command: runs dist/, which a checkout builds first where it is out of date.
import { existsSync } from "node:fs";

const builder = new URL("../scripts/build.js", import.meta.url);
if (existsSync(builder)) (await import(builder.href)).buildIfStale();
const { main } = await import("../dist/cli/main.js");
process.exitCode = await main(process.argv.slice(2));
