// One of two processes that wait, each in its main thread, for what the other sets: child-keys.ts <place>.
import { WaitingKeys } from "../../src/processes/waiting-keys.ts";

const place = JSON.parse(process.argv[2]);
const keys = await WaitingKeys.open(place);
keys.put(`from ${place.rank}`, Uint8Array.of(40 + place.rank));
const other = keys.get(`from ${1 - place.rank}`, 20_000);
const late = keys.get("never", 100);
// the other may still ask the first
keys.put(`done ${place.rank}`, Uint8Array.of(1));
keys.get(`done ${1 - place.rank}`, 20_000);
console.log(JSON.stringify([other?.[0], late ?? null]));
setTimeout(() => void keys.close(), 200);
