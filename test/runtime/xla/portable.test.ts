// Programs for any one device: compiled once, run where a call says, from the disk too.
import { expect, test } from "vitest";
import type { Handle, PjrtClient } from "../../../src/runtime/xla/client.ts";
import { compileKept } from "../../../src/runtime/xla/kept-programs.ts";
import { temporaryFolder } from "../../data/corpora.ts";
import { describeWithPlugin } from "./plugin.ts";

const DOUBLED = `module @doubled attributes {mhlo.num_replicas = 1 : i32, mhlo.num_partitions = 1 : i32} {
  func.func public @main(%arg0: tensor<2xf32>) -> (tensor<2xf32>) {
    %0 = "stablehlo.add"(%arg0, %arg0) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
    "func.return"(%0) : (tensor<2xf32>) -> ()
  }
}
`;
const bytesOf = ({ buffer }: Float32Array) => new Uint8Array(buffer);

async function doubledOn(client: PjrtClient, program: Handle, device: Handle): Promise<number[]> {
  const fed = client.upload(bytesOf(Float32Array.of(1.5, -2)), [2], "f32", device);
  const { results, finished } = await client.start(program, [[fed]], 1, device);
  await finished;
  const result = new Float32Array(2);
  await client.download(results[0][0], bytesOf(result));
  for (const buffer of [fed, results[0][0]]) client.freeBuffer(buffer);
  return [...result];
}

describeWithPlugin("a portable program", (openClient) => {
  test("runs on every device, compiled or loaded, and is not taken for one of the first device", async () => {
    const client = openClient(3);
    const folder = temporaryFolder();
    const bound = await compileKept(client, DOUBLED, { folder, keptFromMs: 0 });
    for (let round = 0; round < 2; round++) {
      const program = await compileKept(client, DOUBLED, { portable: true, folder, keptFromMs: 0 });
      for (const device of client.devices) expect(await doubledOn(client, program, device)).toEqual([3, -4]);
      client.freeProgram(program);
    }
    client.freeProgram(bound);
    expect(client.alive).toEqual({ buffers: 0, programs: 0, events: 0 });
    await client.close();
  });
});
