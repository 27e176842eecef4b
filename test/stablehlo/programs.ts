// Programs written and run in tests: arguments as bytes, results as bytes.
import type { PjrtClient } from "../../src/runtime/xla/client.ts";
import type { ElementType, Tensor } from "../../src/stablehlo/emitter.ts";
import { type Program, ProgramWriter } from "../../src/stablehlo/program.ts";

const BYTES: Partial<Record<ElementType, number>> = { f32: 4, i1: 1, ui32: 4, i64: 8 };

type Arrays = Readonly<Record<string, Float32Array | Uint32Array | BigInt64Array>>;

/** Compiles `program`; every call of what it gives runs it. */
export async function runnable(client: PjrtClient, program: Program) {
  const executable = await client.compile(program.text);
  return {
    async run(feeds: Arrays): Promise<Record<string, Uint8Array>> {
      const held = program.inputs.map(({ name, shape, type }) => {
        const { buffer, byteOffset, byteLength } = feeds[name];
        return client.upload(new Uint8Array(buffer, byteOffset, byteLength), shape, type);
      });
      const { results, finished } = await client.start(executable, [held], program.outputs.length);
      await finished;
      const fetched: Record<string, Uint8Array> = {};
      for (const [i, { name, shape, type }] of program.outputs.entries()) {
        fetched[name] = new Uint8Array(shape.reduce((product, size) => product * size, BYTES[type] ?? 0));
        await client.download(results[0][i], fetched[name]);
      }
      for (const buffer of [...held, ...results[0]]) client.freeBuffer(buffer);
      return fetched;
    },
    free: () => client.freeProgram(executable),
  };
}

/** A program of what `build` writes. */
export function programOf(build: (writer: ProgramWriter) => Readonly<Record<string, Tensor>>): Program {
  const writer = new ProgramWriter("test");
  for (const [name, tensor] of Object.entries(build(writer))) writer.result(name, tensor);
  return writer.finish();
}

export const floatsOf = ({ buffer, byteOffset, byteLength }: Uint8Array) =>
  new Float32Array(buffer, byteOffset, byteLength / 4);
