// The names of devices: the one table that flags, recipes and errors read.

/** Platforms of PJRT plugins, in the order in which `xla` takes them. */
export const XLA_PLATFORMS = ["cuda", "rocm", "tpu", "cpu"] as const;
export type XlaPlatform = (typeof XLA_PLATFORMS)[number];

/**
 * `cpu` and `webgpu` are ONNX Runtime's; `xla:<platform>` is a PJRT plugin's, `xla` the first that is found; `cuda` is
 * `xla:cuda` where such a plugin is found, else ONNX Runtime's.
 */
export const DEVICES = ["cpu", "cuda", "webgpu", "xla", "xla:cpu", "xla:cuda", "xla:rocm", "xla:tpu"] as const;
export type Device = (typeof DEVICES)[number];

/** What a user may ask for; `auto`: the fastest that is there. */
export const DEVICE_CHOICES = [...DEVICES, "auto"] as const;
export type DeviceChoice = (typeof DEVICE_CHOICES)[number];

/** `cuda` of `xla:cuda`, undefined of `xla`; null of devices that are not XLA's. */
export function platformOfDevice(device: Device): XlaPlatform | undefined | null {
  if (device === "xla") return undefined;
  return device.startsWith("xla:") ? (device.slice("xla:".length) as XlaPlatform) : null;
}
