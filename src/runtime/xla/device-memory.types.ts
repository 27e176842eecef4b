// What a device of XLA's says of its memory.
export interface DeviceMemory {
  readonly bytesInUse: number;
  /** The most at once since the client was made; undefined where the plugin does not say. */
  readonly peakBytes: number | undefined;
  /** What the client may take of the device; undefined where the plugin does not say. */
  readonly limitBytes: number | undefined;
}
