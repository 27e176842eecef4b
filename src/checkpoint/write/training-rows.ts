// What the settings of a Lightning checkpoint say of its training, as rows for the model card.
import { publicName, publicNames } from "../../public-names.ts";
import { isFields } from "../read/config/fields.ts";

/** [row, section of the settings, fields of the section, each with what is said before its value]. */
const TRAINING_FIELDS: readonly (readonly [row: string, section: string, fields: string])[] = [
  ["teacher", "teacher", "teacher_model"],
  ["masking of the student's input", "teacher", "mask_prob probability, mask_length length, mask_selection lengths"],
  ["schedule of the mask probability", "train", "mask_prob_schedule"],
  ["training data", "data", "train_set"],
  ["test data", "data", "test_set"],
  [
    "optimiser",
    "optimizer",
    "name, lr learning rate, warmup_proportion warm-up proportion, betas betas, eps eps, weight_decay weight decay",
  ],
  ["epochs", "train", "num_epochs"],
  ["batch", "train", "batch_size utterances, accumulate_grad_batches accumulated, gpus GPUs"],
  [
    "losses",
    "train",
    "rec_loss_type type, rec_loss_weight weight, distil_random_layer random layers, random_layer_weight weight of a random layer",
  ],
  ["dropped in training", "distiller", "dropout dropout, encoder_layerdrop layers"],
];

const MAX_VALUE_LENGTH = 200;

/** Gives no rows where the settings say nothing of the training itself. */
export function trainingRows(settings: unknown): [string, string][] {
  if (!isFields(settings)) return [];
  const own = ["teacher", "train", "data", "optimizer"];
  if (!own.some((section) => isFields(settings[section]))) return [];
  return TRAINING_FIELDS.flatMap(([row, section, names]): [string, string][] => {
    const fields = settings[section];
    if (!isFields(fields)) return [];
    const parts = names.split(", ").flatMap((field) => {
      const [name, ...title] = field.split(" ");
      const text = settingText(name.endsWith("_model") ? publicName(String(fields[name] ?? "")) : fields[name]);
      return text === "" ? [] : [...title, text].join(" ");
    });
    return parts.length > 0 ? [[row, parts.join(", ")]] : [];
  });
}

/** A setting as text; empty where it is not set, or nothing that a cell could hold. */
function settingText(value: unknown): string {
  if (Array.isArray(value)) return value.slice(0, 20).map(settingText).filter(Boolean).join(" ");
  const plain = ["string", "number", "bigint", "boolean"].includes(typeof value);
  return plain ? String(publicNames(value)).slice(0, MAX_VALUE_LENGTH) : "";
}
