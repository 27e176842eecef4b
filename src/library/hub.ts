// Entry `stillwave/hub`: models put on the hub, and folders for transformers.js. `loadUpstream` takes models from there.
export {
  exportTransformersJs,
  type TransformersJsExport,
  type TransformersJsOptions,
} from "../export/transformers-js.ts";
export { type PushOptions, type PushResult, pushModel } from "../publish/push.ts";
