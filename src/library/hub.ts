// Entry `stillwave/hub`: models put on the hub. `loadUpstream` takes them from there.
export { type PushOptions, type PushResult, pushModel } from "../publish/push.ts";
