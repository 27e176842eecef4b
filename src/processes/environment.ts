// Who this process is among those that mpirun, srun, torchrun or a script has started together: read from the environment.
import { createHash } from "node:crypto";
import { StillwaveError } from "../errors.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** One of several processes that compute one thing, and where the first of them is met. */
export interface ProcessPlace {
  /** From 0. */
  readonly rank: number;
  readonly size: number;
  /** Of the first process: a name or number of its machine. */
  readonly address: string;
  readonly port: number;
  /** What only processes of one start have in common: others are refused. */
  readonly secret: string;
}

/** What all processes of a run must have in common beside the secret: version and recipe, in any words. */
export interface Introduction extends ProcessPlace {
  readonly about: string;
}

interface Starter {
  readonly name: string;
  readonly rank: string;
  /** The first that is set counts. */
  readonly size: readonly string[];
  /** How many of the processes are on this machine, or how many machines there are. */
  readonly localSize?: string;
  readonly machines?: readonly string[];
  /** What tells one start from another. */
  readonly run: readonly string[];
}

/** In the order in which they are looked for: what was started last, inside the others, comes first. */
const STARTERS: readonly Starter[] = [
  { name: "torchrun or a script", rank: "RANK", size: ["WORLD_SIZE"], run: ["TORCHELASTIC_RUN_ID"] },
  {
    name: "Open MPI",
    rank: "OMPI_COMM_WORLD_RANK",
    size: ["OMPI_COMM_WORLD_SIZE"],
    localSize: "OMPI_COMM_WORLD_LOCAL_SIZE",
    run: ["PMIX_NAMESPACE", "OMPI_MCA_ess_base_jobid"],
  },
  { name: "MPICH", rank: "PMI_RANK", size: ["PMI_SIZE"], localSize: "MPI_LOCALNRANKS", run: ["PMI_JOBID"] },
  {
    name: "srun",
    rank: "SLURM_PROCID",
    size: ["SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"],
    machines: ["SLURM_STEP_NUM_NODES", "SLURM_NNODES"],
    run: ["SLURM_JOB_ID", "SLURM_STEP_ID"],
  },
];

const ADDRESS = "MASTER_ADDR";
const PORT = "MASTER_PORT";
const SECRET = "STILLWAVE_SECRET";
const NODE_LISTS: readonly string[] = ["SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST", "SLURM_NODELIST"];
const THIS_MACHINE = "127.0.0.1";
/** Below the ports that systems give to connections. */
const PORTS = { first: 20_000, count: 10_000 } as const;

/**
 * undefined: this process is alone, as it is too where several were asked for one.
 * @throws StillwaveError that names the variable which is missing or impossible
 */
export function readPlace(env: Environment): ProcessPlace | undefined {
  const starter = STARTERS.find((starter) => startedBy(starter, env));
  if (!starter) return undefined;
  const [sizeName] = starter.size.filter((name) => env[name]);
  if (!env[starter.rank]) throw missing(starter, starter.rank, sizeName ?? starter.size[0]);
  if (!sizeName) throw missing(starter, starter.size[0], starter.rank);
  const size = count(env, sizeName, 1, 1_000_000);
  const rank = count(env, starter.rank, 0, size - 1);
  if (size === 1) return undefined;
  const run = starter.run.map((name) => env[name] ?? "").join(".");
  return {
    rank,
    size,
    address: addressOf(starter, size, env),
    port: portOf(run, env),
    secret: `${env[SECRET] ?? ""} ${run}`,
  };
}

function startedBy({ rank, size }: Starter, env: Environment): boolean {
  // shells of an allocation know its number of tasks, and its script has a rank: srun has started neither
  if (rank === "SLURM_PROCID") return !!env[rank] && (!env.SLURM_JOB_ID || !!env.SLURM_STEP_ID);
  return [rank, ...size].some((name) => env[name]);
}

function missing({ name }: Starter, variable: string, other: string): StillwaveError {
  return new StillwaveError(
    `${other} is set and ${variable} is not: several processes (${name}) need both; set it, or unset ${other} to compute alone`,
  );
}

function count(env: Environment, name: string, least: number, most: number): number {
  const text = env[name] ?? "";
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most))
    throw new StillwaveError(`${name}=${text}: expected a whole number from ${least} to ${most}`);
  return value;
}

function addressOf({ name, rank, localSize, machines = [] }: Starter, size: number, env: Environment): string {
  const given = env[ADDRESS];
  if (given) return given;
  const machineCount = env[machines.find((name) => env[name]) ?? ""];
  if (machineCount === "1" || (localSize && env[localSize] === String(size))) return THIS_MACHINE;
  const nodes = NODE_LISTS.map((list) => env[list]).find((list) => list);
  const first = nodes && rank !== "RANK" ? firstNode(nodes) : undefined;
  if (first) return first;
  throw new StillwaveError(
    `${ADDRESS} is not set, and ${name} does not say where process 0 is: set ${ADDRESS} to the name of its machine (${THIS_MACHINE} where all are on one)`,
  );
}

/** The first name of a list as SLURM writes them: `gpu[03-05,9],login1` begins with gpu03. */
function firstNode(list: string): string {
  const [first = ""] = /^(?:[^,[]|\[[^\]]*\])+/.exec(list) ?? [];
  return first.replace(/\[([^\],-]*)[^\]]*\]/g, "$1");
}

/** Where none is given, one that follows from the start: two starts on a machine seldom meet. */
function portOf(run: string, env: Environment): number {
  if (!env[PORT]) return PORTS.first + (createHash("sha256").update(run).digest().readUInt32LE() % PORTS.count);
  const port = count(env, PORT, 1, 65_534);
  // torchrun itself listens at the one it names
  return env.TORCHELASTIC_RUN_ID ? port + 1 : port;
}
