// Environment variables that the command reads, and what each is for.

type Variables = Readonly<Record<string, string>>;

/** Under headings; names that mean the same stand together. */
export const ENVIRONMENT: Readonly<Record<string, Variables>> = {
  "Folders and engines": {
    STILLWAVE_CACHE: "hidden states, decoded speech, plugins and compiled programs (default: ~/.cache/stillwave)",
    XDG_CACHE_HOME: "where caches of programs lie (default: ~/.cache)",
    STILLWAVE_ENGINE: "native or wasm: the engine of --device cpu (default: native where it is installed)",
    STILLWAVE_SPIN: "0: threads that wait do not spin; kinder to what else runs here",
    STILLWAVE_XLA_PLUGIN: "PJRT plugins for --device xla:..., instead of those that are found",
    STILLWAVE_XLA_DEVICES: "how many devices the CPU plugin offers (default: 1)",
    VIRTUAL_ENV: "a Python environment in which plugins are looked for",
    XLA_FLAGS: "handed to XLA with what Stillwave adds",
    TF_CPP_MIN_LOG_LEVEL: "how little XLA says (default: 2, errors)",
    NPROC: "threads of XLA on the CPU (default: --threads)",
  },
  "Models and plugins from elsewhere": {
    PATH: "where `transcribe --mic` looks for arecord and ffmpeg",
    HF_TOKEN: "token for models that are not public, and for `push`",
    HF_TOKEN_PATH: "file with that token (default: where a login saved it)",
    HF_HOME: "folder of Hugging Face's programs (default: ~/.cache/huggingface)",
    "HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE": "folder of fetched models (default: $HF_HOME/hub)",
    HF_ENDPOINT: "address of the hub",
    HF_HUB_OFFLINE: "1: nothing is fetched",
    "PIP_INDEX_URL, UV_DEFAULT_INDEX, UV_INDEX_URL": "package index of `devices add` (default: pip's)",
  },
  "Loggers (docs/logging.md)": {
    "WANDB_DIR, WANDB_PROJECT, WANDB_ENTITY": "folder (default: the run's), project and entity of runs for W&B",
    "MLFLOW_TRACKING_URI, MLFLOW_EXPERIMENT_NAME":
      "store (default: mlruns in the run's folder) and experiment of MLflow",
  },
  "Several processes (docs/accelerators.md)": {
    "RANK, WORLD_SIZE, TORCHELASTIC_RUN_ID": "set by torchrun or by hand",
    "MASTER_ADDR, MASTER_PORT": "where process 0 is met (default: as the starter says)",
    STILLWAVE_SECRET: "what processes must share to be let in",
    "OMPI_COMM_WORLD_RANK, OMPI_COMM_WORLD_SIZE, OMPI_COMM_WORLD_LOCAL_SIZE, PMIX_NAMESPACE, OMPI_MCA_ess_base_jobid":
      "set by Open MPI",
    "PMI_RANK, PMI_SIZE, PMI_JOBID, MPI_LOCALNRANKS": "set by MPICH",
    "SLURM_PROCID, SLURM_STEP_NUM_TASKS, SLURM_NTASKS, SLURM_STEP_NUM_NODES, SLURM_NNODES, SLURM_JOB_ID, SLURM_STEP_ID, SLURM_STEP_NODELIST, SLURM_JOB_NODELIST, SLURM_NODELIST":
      "set by srun",
  },
  "What is printed": {
    NO_COLOR: "set: no colors",
    FORCE_COLOR: "set: colors although it is no terminal; 0: none",
    TERM: "dumb: no colors",
    STILLWAVE_DEBUG: "1: errors with their stack",
  },
};

const INDENT = 26;

/** Lines of help at most `width` wide, unless a word is longer. */
export function environmentLines(width: number): string[] {
  const lines = ["Environment variables:"];
  for (const [heading, variables] of Object.entries(ENVIRONMENT)) {
    lines.push(`  ${heading}`);
    for (const [names, meaning] of Object.entries(variables)) lines.push(...entry(names, meaning, width));
  }
  return lines;
}

/** The meaning beside the name, or below names that are longer. */
function entry(names: string, meaning: string, width: number): string[] {
  const text = wrapped(meaning, width - INDENT).map((line) => " ".repeat(INDENT) + line);
  if (names.length + 6 <= INDENT) return [`    ${names}`.padEnd(INDENT) + text[0].slice(INDENT), ...text.slice(1)];
  return [...wrapped(names, width - 4).map((line) => `    ${line}`), ...text];
}

function wrapped(text: string, width: number): string[] {
  const lines: string[] = [""];
  for (const word of text.split(" ")) {
    const [last] = lines.slice(-1);
    if (last === "") lines[lines.length - 1] = word;
    else if (last.length + 1 + word.length <= Math.max(20, width)) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
