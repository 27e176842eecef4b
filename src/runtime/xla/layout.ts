// Where things lie in the structs of PJRT's C interface (pjrt_c_api.h), in bytes. The interface only ever appends fields.

/** Functions of `PJRT_Api`: offset of the pointer. */
export const FUNCTIONS = {
  Error_Destroy: 40,
  Error_Message: 48,
  Plugin_Initialize: 64,
  Event_Destroy: 80,
  Event_Await: 104,
  Client_Create: 120,
  Client_Destroy: 128,
  Client_PlatformName: 136,
  Client_PlatformVersion: 152,
  Client_AddressableDevices: 168,
  Client_Compile: 200,
  Client_BufferFromHostBuffer: 216,
  DeviceDescription_Kind: 248,
  Device_GetDescription: 272,
  Device_MemoryStats: 312,
  LoadedExecutable_Destroy: 440,
  LoadedExecutable_Execute: 480,
  Buffer_Destroy: 504,
  Buffer_ToHostBuffer: 600,
} as const;

export type FunctionName = keyof typeof FUNCTIONS;

/** Of the version in `PJRT_Api`: two int32, major and minor. */
export const VERSION_OFFSET = 32;

/** Argument structs: their size, and the offset of every field that is read or written here. */
export const ARGUMENTS = {
  Error_Destroy: { size: 24, error: 16 },
  Error_Message: { size: 40, error: 16, message: 24, message_size: 32 },
  Plugin_Initialize: { size: 16 },
  Event_Destroy: { size: 24, event: 16 },
  Event_Await: { size: 24, event: 16 },
  Client_Create: { size: 88, create_options: 16, num_options: 24, client: 64 },
  Client_Destroy: { size: 24, client: 16 },
  Client_PlatformName: { size: 40, client: 16, platform_name: 24, platform_name_size: 32 },
  Client_PlatformVersion: { size: 40, client: 16, platform_version: 24, platform_version_size: 32 },
  Client_AddressableDevices: { size: 40, client: 16, addressable_devices: 24, num_addressable_devices: 32 },
  Client_Compile: { size: 56, client: 16, program: 24, compile_options: 32, compile_options_size: 40, executable: 48 },
  Client_BufferFromHostBuffer: {
    size: 120,
    client: 16,
    data: 24,
    type: 32,
    dims: 40,
    num_dims: 48,
    host_buffer_semantics: 72,
    device: 80,
    done_with_host_buffer: 104,
    buffer: 112,
  },
  DeviceDescription_Kind: { size: 40, device_description: 16, device_kind: 24, device_kind_size: 32 },
  Device_GetDescription: { size: 32, device: 16, device_description: 24 },
  Device_MemoryStats: { size: 192, device: 16, bytes_in_use: 24, peak_bytes_in_use: 32 },
  LoadedExecutable_Destroy: { size: 24, executable: 16 },
  LoadedExecutable_Execute: {
    size: 80,
    executable: 16,
    options: 24,
    argument_lists: 32,
    num_devices: 40,
    num_args: 48,
    output_lists: 56,
    device_complete_events: 64,
  },
  Buffer_Destroy: { size: 24, buffer: 16 },
  Buffer_ToHostBuffer: { size: 56, src: 16, dst: 32, dst_size: 40, event: 48 },
} as const satisfies Record<FunctionName, { readonly size: number } & Readonly<Record<string, number>>>;

/** Structs that arguments point to. */
export const PROGRAM = { size: 48, code: 16, code_size: 24, format: 32, format_size: 40 } as const;
export const EXECUTE_OPTIONS = { size: 112 } as const;
export const NAMED_VALUE = { size: 56, name: 16, name_size: 24, type: 32, value: 40, value_size: 48 } as const;

/** `PJRT_NamedValue_Type`. */
export const NAMED_VALUE_TYPE = { int64: 1, bool: 4 } as const;

/** `PJRT_Buffer_Type` of what programs take and give. */
export const BUFFER_TYPE = {
  i1: 1,
  i16: 3,
  i32: 4,
  i64: 5,
  ui8: 6,
  ui16: 7,
  ui32: 8,
  ui64: 9,
  f16: 10,
  f32: 11,
  bf16: 13,
} as const;

/** `PJRT_HostBufferSemantics`: the host's bytes are read before the call returns, or until an event says so. */
export const HOST_BUFFER = { duringCall: 0, untilTransferred: 1 } as const;
