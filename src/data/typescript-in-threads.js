// Preloaded by the decoding threads of a checkout, where they must read TypeScript: tsx's own --import hook does nothing in threads.
import { register } from "tsx/esm/api";

register();
