// A student's weights and moments on devices, and their copy on the host.
import { bytesOf, type Parameters, sizeOf } from "../../graph/array.ts";
import { flatten } from "../../models/flat.ts";
import type { ParameterSpec } from "../../models/parameters.ts";
import { createAdamWState } from "../../optim/adamw.ts";
import type { Resident } from "../../runtime/xla/resident.ts";
import type { TrainingState } from "../../training/checkpoints.ts";
import { STATE } from "./program.ts";

export class DeviceState {
  /** The copy on the host. */
  readonly host: TrainingState;
  private readonly resident: Resident;
  /** Every array by its name on the devices, in memory of `host`. */
  private readonly arrays: { readonly name: string; readonly shape: readonly number[]; readonly data: Float32Array }[];

  /** @param lossScaling where the loss is scaled: the scale and its counts, as they are before the first update */
  constructor(resident: Resident, specs: readonly ParameterSpec[], parameters: Parameters, lossScaling?: Float32Array) {
    const { views, flat } = flatten(specs, parameters);
    const optimizer = createAdamWState(flat.length);
    let offset = 0;
    this.resident = resident;
    this.host = { parameters: views, optimizer, lossScaling };
    const weights = specs.flatMap(({ name, shape }) => {
      const [from, to] = [offset, offset + sizeOf(shape)];
      offset = to;
      return [
        { name: STATE.weight(name), shape, data: flat.subarray(from, to) },
        { name: STATE.m(name), shape, data: optimizer.m.subarray(from, to) },
        { name: STATE.v(name), shape, data: optimizer.v.subarray(from, to) },
      ];
    });
    const scaling = lossScaling ? [{ name: STATE.scaling, shape: [lossScaling.length], data: lossScaling }] : [];
    this.arrays = [...weights, ...scaling];
  }

  /** Host to devices. Updates are done again where they had been halted. */
  put(): void {
    const halted = { name: STATE.halted, shape: [], data: Float32Array.of(0) };
    for (const { name, shape, data } of [...this.arrays, halted])
      this.resident.put({ name, shape, type: "f32" }, bytesOf(data));
  }

  /** Zero sums of gradients, where there are none yet. */
  putGradients(specs: readonly { readonly name: string; readonly shape: readonly number[] }[]): void {
    for (const { name, shape } of specs)
      if (!this.resident.has(STATE.gradient(name)))
        this.resident.put({ name: STATE.gradient(name), shape, type: "f32" }, new Uint8Array(4 * sizeOf(shape)));
  }

  /** Copies the sums of gradients into `flat`, in the order of the parameters. */
  async readGradients(flat: Float32Array): Promise<void> {
    for (const { name, part } of this.gradientsIn(flat)) await this.resident.read(name, bytesOf(part));
  }

  /** The other way. */
  writeGradients(flat: Float32Array): void {
    for (const { name, shape, part } of this.gradientsIn(flat))
      this.resident.put({ name, shape, type: "f32" }, bytesOf(part));
  }

  /** Devices to host. */
  async read(): Promise<TrainingState> {
    for (const { name, data } of this.arrays) await this.resident.read(name, bytesOf(data));
    return this.host;
  }

  private gradientsIn(flat: Float32Array) {
    let offset = 0;
    return [...this.host.parameters].map(([parameter, { shape, data }]) => {
      const part = flat.subarray(offset, offset + data.length);
      offset += data.length;
      return { name: STATE.gradient(parameter), shape, part };
    });
  }
}
