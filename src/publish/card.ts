// The card and configuration of a model as they are published: what the user adds, what evaluations came to, no private paths.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  frontMatter,
  isFields,
  loadingCall,
  modelFrontMatter,
  readFrontMatter,
  splitCard,
} from "../checkpoint/index.ts";
import { StillwaveError } from "../errors.ts";
import type { ModelConfig } from "../models/config.ts";
import { publicNames, publicText } from "../public-names.ts";
import type { EvaluationResult } from "../superb/run/result.ts";
import { TASKS } from "../superb/tasks/index.ts";
import { HUB_TASKS, metricTypes, modelIndex } from "./results.ts";

/** What the user says of a model; it stands in the card instead of what stood there. */
export interface CardChanges {
  /** Identifier of the licence, such as `cc-by-4.0`. */
  readonly license?: string;
  /** Identifiers of the models that it was made of. */
  readonly baseModels?: readonly string[];
  /** Identifiers of its training data. */
  readonly datasets?: readonly string[];
}

interface Published extends CardChanges {
  /** `org/name` */
  readonly repository: string;
  /** undefined: the folder holds exported files only. */
  readonly config: ModelConfig | undefined;
  /** What a recogniser was fine-tuned for; undefined: it is a model. */
  readonly task: EvaluationResult["task"] | undefined;
  readonly results: readonly EvaluationResult[];
}

/** README.md as it is published; `text` is the folder's own, where it has one. */
export function publishedCard(text: string | undefined, where: string, published: Published): string {
  const { repository, config, task, results, license, baseModels, datasets } = published;
  const name = repository.slice(repository.indexOf("/") + 1);
  const own = readFrontMatter(text ?? "", where);
  const usual = config ? readFrontMatter(modelFrontMatter(config, {}), where) : { license: "unknown" };
  const [, body] = splitCard(text ?? (config ? `# ${name}\n\n\`${loadingCall(config)}\` of transformers reads this model.\n` : `# ${name}\n`)); // biome-ignore format: one line
  const fields = {
    ...usual,
    ...own,
    ...(task !== undefined && { library_name: "stillwave", pipeline_tag: HUB_TASKS[task] }),
    ...(license !== undefined && { license }),
    ...(baseModels?.length && { base_model: baseModels.length === 1 ? baseModels[0] : baseModels }),
    ...(datasets?.length && { datasets }),
    ...(results.length > 0 && { metrics: metricTypes(results), "model-index": modelIndex(name, results) }),
  };
  return `${frontMatter(fields)}${task === undefined ? "" : recogniserText(repository, task)}${publicText(body)}`;
}

/** What a visitor of a recogniser's repository does with it; the card of its upstream follows. */
const recogniserText = (repository: string, task: EvaluationResult["task"]): string =>
  `# ${repository.slice(repository.indexOf("/") + 1)}

A recogniser (${TASKS[task].title}): a speech model (\`upstream/\`) and its head (\`head/\`), trained together.

\`\`\`ts
import { loadRecognizer } from "stillwave";
const recognizer = await loadRecognizer("${repository}");
console.log(await recognizer.${["pr", "asr", "sf"].includes(task) ? "transcribe" : "classify"}("talk.wav"));
\`\`\`

`;

/**
 * Text of config.json as it is published; undefined where that is how it stands.
 * @throws StillwaveError where it is no JSON object
 */
export async function publishedConfig(folder: string): Promise<string | undefined> {
  const path = join(folder, "config.json");
  let fields: unknown;
  try {
    fields = JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    throw new StillwaveError(`${path}: not valid JSON: ${(error as Error).message}`);
  }
  if (!isFields(fields)) throw new StillwaveError(`${path}: expected a JSON object`);
  const text = JSON.stringify(publicNames(fields), null, 2);
  return text === JSON.stringify(fields, null, 2) ? undefined : `${text}\n`;
}
