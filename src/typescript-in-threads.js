// Preloaded by threads where the sources run as they are, as in tests: tsx's own --import hook does nothing in threads.
import { register } from "tsx/esm/api";

register();
