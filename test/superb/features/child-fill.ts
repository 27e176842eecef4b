// Fills a cache in a process of its own, for tests that kill it: child-fill.ts <speech folder> <cache root> <count> <shard bytes>.
import { openCorpus } from "../../../src/data/index.ts";
import { openFeatures } from "../../../src/superb/features/open.ts";
import { fakeUpstream } from "./opening.ts";

const [speech, cacheRoot, count, shardBytes] = process.argv.slice(2);
const { utterances } = await openCorpus({ path: speech! }, { onBadFile: "stop", maxUtterances: Number(count) });
const upstream = fakeUpstream({ delayMs: 15 });
for await (const event of openFeatures({ upstream, utterances, cacheRoot, shardBytes: Number(shardBytes) }))
  console.log(JSON.stringify(event));
