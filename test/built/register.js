// Preloaded by programs that tests start, after tsx: the hooks beside it.
import { register } from "node:module";

register("./hooks.js", import.meta.url);
