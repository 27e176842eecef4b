// Where things lie in the structs of PJRT's C interface (pjrt_c_api.h), in bytes. The interface only ever appends fields.

/** Functions of `PJRT_Api`: offset of the pointer. */
export const FUNCTIONS = {
  Error_Destroy: 40,
  Error_Message: 48,
  Error_GetCode: 56,
  Plugin_Initialize: 64,
  Event_Destroy: 80,
  Event_IsReady: 88,
  Event_Await: 104,
  Client_Create: 120,
  Client_Destroy: 128,
  Client_PlatformName: 136,
  Client_PlatformVersion: 152,
  Client_Devices: 160,
  Client_AddressableDevices: 168,
  Client_Compile: 200,
  Client_BufferFromHostBuffer: 216,
  DeviceDescription_Id: 224,
  DeviceDescription_Kind: 248,
  Device_GetDescription: 272,
  Device_MemoryStats: 312,
  Executable_Destroy: 360,
  Executable_Serialize: 432,
  LoadedExecutable_Destroy: 440,
  LoadedExecutable_GetExecutable: 448,
  LoadedExecutable_Execute: 480,
  Executable_DeserializeAndLoad: 488,
  Buffer_Destroy: 504,
  Buffer_ToHostBuffer: 600,
} as const;

export type FunctionName = keyof typeof FUNCTIONS;

/** Of the version in `PJRT_Api`: two int32, major and minor. */
export const VERSION_OFFSET = 32;

/** A struct: its size, and the offset of every field that is read or written here. */
export type Layout = { readonly size: number } & Readonly<Record<string, number>>;

/** Argument structs of the functions. */
export const ARGUMENTS = {
  Error_Destroy: { size: 24, error: 16 },
  Error_Message: { size: 40, error: 16, message: 24, message_size: 32 },
  Error_GetCode: { size: 32, error: 16, code: 24 },
  Plugin_Initialize: { size: 16 },
  Event_Destroy: { size: 24, event: 16 },
  Event_IsReady: { size: 32, event: 16, is_ready: 24 },
  Event_Await: { size: 24, event: 16 },
  Client_Create: {
    size: 88,
    create_options: 16,
    num_options: 24,
    kv_get_callback: 32,
    kv_put_callback: 48,
    client: 64,
    kv_try_get_callback: 72,
  },
  Client_Destroy: { size: 24, client: 16 },
  Client_PlatformName: { size: 40, client: 16, platform_name: 24, platform_name_size: 32 },
  Client_PlatformVersion: { size: 40, client: 16, platform_version: 24, platform_version_size: 32 },
  Client_Devices: { size: 40, client: 16, devices: 24, num_devices: 32 },
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
  DeviceDescription_Id: { size: 32, device_description: 16, id: 24 },
  DeviceDescription_Kind: { size: 40, device_description: 16, device_kind: 24, device_kind_size: 32 },
  Device_GetDescription: { size: 32, device: 16, device_description: 24 },
  Device_MemoryStats: {
    size: 192,
    device: 16,
    bytes_in_use: 24,
    peak_bytes_in_use: 32,
    peak_bytes_in_use_is_set: 40,
    bytes_limit: 80,
    bytes_limit_is_set: 88,
  },
  Executable_Destroy: { size: 24, executable: 16 },
  Executable_Serialize: {
    size: 56,
    executable: 16,
    serialized_bytes: 24,
    serialized_bytes_size: 32,
    serialized_executable: 40,
    serialized_executable_deleter: 48,
  },
  LoadedExecutable_Destroy: { size: 24, executable: 16 },
  LoadedExecutable_GetExecutable: { size: 32, loaded_executable: 16, executable: 24 },
  LoadedExecutable_Execute: {
    size: 80,
    executable: 16,
    options: 24,
    argument_lists: 32,
    num_devices: 40,
    num_args: 48,
    output_lists: 56,
    device_complete_events: 64,
    execute_device: 72,
  },
  Executable_DeserializeAndLoad: {
    size: 64,
    client: 16,
    serialized_executable: 24,
    serialized_executable_size: 32,
    loaded_executable: 40,
  },
  Buffer_Destroy: { size: 24, buffer: 16 },
  Buffer_ToHostBuffer: { size: 56, src: 16, dst: 32, dst_size: 40, event: 48 },
} as const satisfies Record<FunctionName, Layout>;

/** Structs that arguments point to. */
export const PROGRAM = { size: 48, code: 16, code_size: 24, format: 32, format_size: 40 } as const;
export const EXECUTE_OPTIONS = { size: 112 } as const;
export const NAMED_VALUE = { size: 56, name: 16, name_size: 24, type: 32, value: 40, value_size: 48 } as const;

/** What a plugin calls back with, for keys of several processes. `value`, its size and its deleter follow each other. */
export const KEY_GET = { size: 80, key: 16, key_size: 24, timeout: 32, callback_error: 40, value: 56 } as const;
export const KEY_TRY_GET = { size: 72, key: 16, key_size: 24, callback_error: 32, value: 48 } as const;
export const KEY_PUT = { size: 64, key: 16, key_size: 24, value: 32, value_size: 40 } as const;

/** Addresses of the callbacks, as fields of `Client_Create`. */
export type KeyCallbacks = Readonly<Record<"kv_get_callback" | "kv_put_callback" | "kv_try_get_callback", bigint>>;

/** `PJRT_NamedValue_Type`. */
export const NAMED_VALUE_TYPE = { string: 0, int64: 1, float: 3, bool: 4 } as const;

/** `PJRT_Buffer_Type` of an element, and the bytes that one takes on the host. A number that is none ends the process. */
export const ELEMENTS = {
  i1: { type: 1, bytes: 1 },
  i8: { type: 2, bytes: 1 },
  i16: { type: 3, bytes: 2 },
  i32: { type: 4, bytes: 4 },
  i64: { type: 5, bytes: 8 },
  ui8: { type: 6, bytes: 1 },
  ui16: { type: 7, bytes: 2 },
  ui32: { type: 8, bytes: 4 },
  ui64: { type: 9, bytes: 8 },
  f16: { type: 10, bytes: 2 },
  f32: { type: 11, bytes: 4 },
  f64: { type: 12, bytes: 8 },
  bf16: { type: 13, bytes: 2 },
} as const;

/** An element type, as StableHLO writes it. */
export type BufferElement = keyof typeof ELEMENTS;

/** `PJRT_HostBufferSemantics`: the host's bytes are read before the call returns, or until an event says so. */
export const HOST_BUFFER = { duringCall: 0, untilTransferred: 1 } as const;

/** `PJRT_Error_Code` of what a plugin does not do, and of what is not there. */
export const UNIMPLEMENTED = 12;
export const NOT_FOUND = 5;

/** `PJRT_Error_Code` where memory is full. */
export const RESOURCE_EXHAUSTED = 8;
