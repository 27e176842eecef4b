// Who a process is: what mpirun, srun, torchrun and scripts leave in the environment, whole and in part.
import fc from "fast-check";
import { expect, test } from "vitest";
import { StillwaveError } from "../../src/errors.ts";
import { readPlace } from "../../src/processes/environment.ts";

const mpi = { OMPI_COMM_WORLD_RANK: "1", OMPI_COMM_WORLD_SIZE: "4" };
const slurm = { SLURM_JOB_ID: "77", SLURM_STEP_ID: "0", SLURM_PROCID: "3", SLURM_NTASKS: "8" };

test.each([
  ["a script", { RANK: "0", WORLD_SIZE: "2", MASTER_ADDR: "a1", MASTER_PORT: "29500" }, [0, 2, "a1", 29500]],
  [
    "torchrun, which listens at its own port",
    { RANK: "1", WORLD_SIZE: "2", MASTER_ADDR: "a1", MASTER_PORT: "29500", TORCHELASTIC_RUN_ID: "x" },
    [1, 2, "a1", 29501],
  ],
  ["mpirun with an address", { ...mpi, MASTER_ADDR: "a1", MASTER_PORT: "5000" }, [1, 4, "a1", 5000]],
  [
    "mpirun on one machine",
    { ...mpi, OMPI_COMM_WORLD_LOCAL_SIZE: "4", MASTER_PORT: "5000" },
    [1, 4, "127.0.0.1", 5000],
  ],
  [
    "MPICH on one machine",
    { PMI_RANK: "1", PMI_SIZE: "2", MPI_LOCALNRANKS: "2", MASTER_PORT: "1" },
    [1, 2, "127.0.0.1", 1],
  ],
  [
    "MPICH inside an allocation, whose own ranks count machines",
    { ...slurm, PMI_RANK: "9", PMI_SIZE: "16", SLURM_JOB_NODELIST: "n[7-8]", MASTER_PORT: "1" },
    [9, 16, "n7", 1],
  ],
  ["srun", { ...slurm, SLURM_STEP_NODELIST: "gpu[03-05,9],login1", MASTER_PORT: "1" }, [3, 8, "gpu03", 1]],
  ["srun, a list of one", { ...slurm, SLURM_NODELIST: "node12", MASTER_PORT: "1" }, [3, 8, "node12", 1]],
  ["srun, racks", { ...slurm, SLURM_NODELIST: "r[1-2]n[04,06-7]x,b", MASTER_PORT: "1" }, [3, 8, "r1n04x", 1]],
  [
    "srun on one machine",
    { ...slurm, SLURM_NODELIST: "node12", SLURM_NNODES: "1", MASTER_PORT: "1" },
    [3, 8, "127.0.0.1", 1],
  ],
  [
    "a step of fewer tasks",
    { ...slurm, SLURM_STEP_NUM_TASKS: "4", SLURM_NODELIST: "n1", MASTER_PORT: "1" },
    [3, 4, "n1", 1],
  ],
  [
    "ranks of a scheduler alone",
    { SLURM_PROCID: "1", SLURM_NTASKS: "2", SLURM_NODELIST: "n1", MASTER_PORT: "1" },
    [1, 2, "n1", 1],
  ],
])("%s", (_, env, [rank, size, address, port]) => {
  expect(readPlace(env)).toMatchObject({ rank, size, address, port });
});

test.each([
  ["nothing set", {}],
  ["a single task of srun", { ...slurm, SLURM_PROCID: "0", SLURM_NTASKS: "1" }],
  ["an allocation's shell", { SLURM_JOB_ID: "7", SLURM_NTASKS: "8", SLURM_NNODES: "2" }],
  [
    "a batch script, before any srun",
    { SLURM_JOB_ID: "7", SLURM_NTASKS: "8", SLURM_PROCID: "0", SLURM_NODELIST: "n[1-2]" },
  ],
  ["mpirun -n 1", { OMPI_COMM_WORLD_RANK: "0", OMPI_COMM_WORLD_SIZE: "1" }],
  ["one of one", { RANK: "0", WORLD_SIZE: "1" }],
  ["an address alone", { MASTER_ADDR: "a1", MASTER_PORT: "29500" }],
  ["empty ones", { RANK: "", WORLD_SIZE: "" }],
])("alone: %s", (_, env) => {
  expect(readPlace(env)).toBeUndefined();
});

test.each([
  [{ RANK: "1" }, "RANK is set and WORLD_SIZE is not"],
  [{ WORLD_SIZE: "2" }, "WORLD_SIZE is set and RANK is not"],
  [{ OMPI_COMM_WORLD_RANK: "1" }, "OMPI_COMM_WORLD_SIZE is not"],
  [{ PMI_SIZE: "2" }, "PMI_RANK is not"],
  [{ ...slurm, SLURM_NTASKS: "" }, "SLURM_STEP_NUM_TASKS is not"],
  [{ RANK: "2", WORLD_SIZE: "2", MASTER_ADDR: "a" }, "RANK=2: expected a whole number from 0 to 1"],
  [{ RANK: "-1", WORLD_SIZE: "2", MASTER_ADDR: "a" }, "RANK=-1"],
  [{ RANK: "0", WORLD_SIZE: "two", MASTER_ADDR: "a" }, "WORLD_SIZE=two"],
  [{ RANK: "0", WORLD_SIZE: "0" }, "WORLD_SIZE=0"],
  [{ RANK: "0", WORLD_SIZE: "2" }, "MASTER_ADDR is not set"],
  [{ ...mpi, OMPI_COMM_WORLD_LOCAL_SIZE: "2" }, "MASTER_ADDR is not set, and Open MPI does not say"],
  [{ RANK: "0", WORLD_SIZE: "2", MASTER_ADDR: "a", MASTER_PORT: "99999" }, "MASTER_PORT=99999"],
])("refused: %j", (env, words) => {
  expect(() => readPlace(env)).toThrow(words);
  expect(() => readPlace(env)).toThrow(StillwaveError);
});

test("where no port is given, all processes of a start have the same, and other starts others", () => {
  const port = (env: Record<string, string>) => readPlace({ ...slurm, SLURM_NODELIST: "n1", ...env })?.port;
  expect(port({ SLURM_PROCID: "0" })).toBe(port({ SLURM_PROCID: "7" }));
  expect(port({ SLURM_STEP_ID: "1" })).not.toBe(port({}));
});

test("the secret is that of the user and of the start", () => {
  const secret = (env: Record<string, string>) => readPlace({ ...slurm, SLURM_NODELIST: "n1", ...env })?.secret;
  expect(secret({ SLURM_PROCID: "0" })).toBe(secret({}));
  expect(new Set([secret({}), secret({ SLURM_JOB_ID: "78" }), secret({ STILLWAVE_SECRET: "s" })])).toHaveLength(3);
});

test("any environment gives a place or a StillwaveError", () => {
  const names = [
    "RANK",
    "WORLD_SIZE",
    "MASTER_ADDR",
    "MASTER_PORT",
    "PMI_RANK",
    "PMI_SIZE",
    "SLURM_PROCID",
    "SLURM_NTASKS",
    "SLURM_NODELIST",
  ];
  const value = fc.oneof(
    fc.string(),
    fc.integer({ min: -2, max: 5 }).map(String),
    fc.constantFrom("n[1-2]", "[", "a[,]", "]["),
  );
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...names), value), (env) => {
      try {
        const place = readPlace(env);
        if (place) expect(place.rank).toBeLessThan(place.size);
        if (place) expect(place.address).not.toBe("");
      } catch (error) {
        expect(error).toBeInstanceOf(StillwaveError);
      }
    }),
    { numRuns: 2000 },
  );
});
