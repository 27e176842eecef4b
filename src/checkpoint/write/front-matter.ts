// The metadata block of a model card, as hubs and search engines read it, and what it says of a model.
import { basename, dirname, resolve } from "node:path";
import { parse, stringify } from "yaml";
import { StillwaveError } from "../../errors.ts";
import type { ModelConfig } from "../../models/config.ts";
import { publicName } from "../../public-names.ts";
import type { ModelInfo } from "../checkpoint.types.ts";
import { readCard } from "../read/card.ts";
import { type Fields, isFields } from "../read/config/fields.ts";
import { nearestFamily } from "../read/config/huggingface.ts";

/** What front matter tells; all but the licence only where it is known. */
export interface CardFacts {
  /** Identifiers of the models that this one was made of. */
  readonly baseModels?: readonly string[];
  /** Of what it was trained on. */
  readonly datasets?: readonly string[];
  /** Identifier of the licence; `unknown` unless given. */
  readonly license?: string;
  /** Beside those of the model itself. */
  readonly tags?: readonly string[];
  /** What loads the folder; `transformers` unless given. */
  readonly library?: string;
}

const BLOCK = /^---\n([\s\S]*?)(?:^|\n)---(?:\n|$)/;

/** A card's front matter as it stands (empty where there is none), and the rest. */
export function splitCard(card: string): [frontMatter: string, body: string] {
  const text = card.replace(/^\uFEFF/, "").replace(/\r\n?/g, "\n");
  const frontMatter = BLOCK.exec(text)?.[0] ?? "";
  return [frontMatter, text.slice(frontMatter.length)];
}

/**
 * The fields of a card's front matter; none where there is none.
 * @throws StillwaveError naming `where` for a block that is no YAML mapping
 */
export function readFrontMatter(card: string, where: string): Fields {
  const [block] = splitCard(card);
  let fields: unknown;
  try {
    fields = parse(BLOCK.exec(block)?.[1] ?? "", { maxAliasCount: 0, logLevel: "error" }) ?? {};
  } catch (error) {
    throw new StillwaveError(
      `${where}: the front matter is not valid YAML: ${(error as Error).message.split("\n")[0]}`,
    );
  }
  if (!isFields(fields)) throw new StillwaveError(`${where}: the front matter is not a list of names and values`);
  return fields;
}

/** `---`, the fields as YAML, `---`. Text that only YAML 1.1 takes for something else (`no`) is quoted: Python reads that version. */
export const frontMatter = (fields: Fields): string =>
  `---\n${stringify(fields, { lineWidth: 0, version: "1.1" })}---\n`;

/** Front matter of a model's own card. */
export function modelFrontMatter(config: ModelConfig, facts: CardFacts): string {
  const { baseModels = [], datasets = [], license = "unknown", tags = [], library = "transformers" } = facts;
  const family = nearestFamily(config);
  return frontMatter({
    license,
    library_name: library,
    pipeline_tag: "feature-extraction",
    ...(baseModels.length > 0 && { base_model: baseModels.length === 1 ? baseModels[0] : baseModels }),
    ...(datasets.length > 0 && { datasets }),
    tags: ["speech", "self-supervised", family, ...tags, "stillwave"],
  });
}

/** What names say nothing of the model or data themselves. */
const ROLES = /^(best|last|model|models|checkpoints?)$/i;
const SPLITS =
  /^(train|training|dev|validation|valid|val|test|data|audio|wavs?|clips|manifests?|list|files)([-_.].*)?$/i;

/** The identifier a model goes by: its id on the hub, or what its folder or file is called. */
export function modelName({ path }: Pick<ModelInfo, "path">): string {
  const cached = /[\\/]models--([^\\/]+)[\\/]snapshots[\\/]/.exec(path)?.[1];
  if (cached) return cached.replace("--", "/");
  const last = basename(path).replace(/\.(pt|pth|bin|ckpt|safetensors|onnx)$/i, "");
  return identifier(ROLES.test(last) ? basename(dirname(resolve(path))) : last);
}

/** The identifier of the data at `path`: the folder of the corpus, whichever split and list of files is named. */
export function datasetName(path: string): string {
  if (path.startsWith("package:")) return "stillwave-examples";
  const parts = publicName(path).split("/");
  const named = parts.map((part) => part.replace(/\.(jsonl?|tsv|csv|txt)$/i, "")).filter((part) => !SPLITS.test(part));
  return identifier(named.at(-1) ?? parts[0]);
}

/** As identifiers on the hub are spelled. */
const identifier = (name: string): string => name.replace(/[^\w.-]+/g, "-").replace(/^[-.]+|[-.]+$/g, "") || "unnamed";

/** The licence in the card beside a model; undefined where no card that can be read states one. */
export async function licenseOf({ path }: Pick<ModelInfo, "path">): Promise<string | undefined> {
  const { file, text = "" } = await readCard(path);
  try {
    const { license } = readFrontMatter(text, file);
    return typeof license === "string" ? license : undefined;
  } catch {
    return undefined;
  }
}
