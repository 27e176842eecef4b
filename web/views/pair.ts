// The teacher and the student that two tabs look through: opened once for both.
import { FOLDERS } from "../model/catalog.ts";
import type { Engine } from "../model/engine.ts";
import type { OpenedFolder } from "../model/protocol.ts";

export type Role = keyof typeof FOLDERS;
export const ROLES: readonly Role[] = ["teacher", "student"];

export type Pair = Readonly<Record<Role, OpenedFolder>>;

const pairs = new WeakMap<Engine, Promise<Pair>>();

/** Opens both on an engine, or tells what is open already. */
export function openPair(engine: Engine): Promise<Pair> {
  const open = async () => {
    const [teacher, student] = await Promise.all(
      ROLES.map((role) =>
        engine.ask({ type: "openFolder", model: role, url: new URL(FOLDERS[role], document.baseURI).href }),
      ),
    );
    return { teacher, student };
  };
  const pair = pairs.get(engine) ?? open();
  pairs.set(engine, pair);
  pair.catch(() => pairs.delete(engine));
  return pair;
}
