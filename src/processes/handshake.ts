// How two processes show each other that they belong to one run: each proves that it knows the secret, which is not sent.
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { StillwaveError } from "../errors.ts";
import type { Introduction } from "./environment.ts";
import type { Wire } from "./wire.ts";

export const STRANGER_BYTES = 4096;
/** Chunks are smaller. */
const MEMBER_BYTES = 2 ** 28;
const HELLO = "stillwave 1";
const NONCE_BYTES = 16;
const TIMEOUT_MS = 20_000;

const proofOf = (secret: string, ...parts: readonly (string | Uint8Array)[]): Buffer => {
  const hmac = createHmac("sha256", secret);
  for (const part of parts) hmac.update(createHmac("sha256", "part").update(part).digest());
  return hmac.digest();
};
const isProof = (given: Uint8Array, expected: Uint8Array): boolean =>
  given.byteLength === expected.byteLength && timingSafeEqual(given, expected);

/** What a process says of itself. */
const claimOf = ({ rank, size, about }: Pick<Introduction, "rank" | "size" | "about">): string =>
  JSON.stringify([rank, size, about]);

/** The side of process 0. Resolves to the other's rank. @throws StillwaveError where the other is none of this run */
export async function welcome(wire: Wire, own: Introduction, isTaken: (rank: number) => boolean): Promise<number> {
  return inTime(wire, async () => {
    const hello = await wire.receive();
    if (hello.name !== HELLO) throw refusal(wire, `another version (${HELLO} is expected)`);
    const nonce = randomBytes(NONCE_BYTES);
    wire.send("nonce", nonce);
    wire.send("proof", proofOf(own.secret, "first", hello.body));
    const { body: claim } = await wire.receive();
    const { body: proof } = await wire.receive();
    if (!isProof(proof, proofOf(own.secret, "other", nonce, claim)))
      throw refusal(wire, "another secret, or another start");
    const [rank, size, about] = JSON.parse(Buffer.from(claim).toString()) as [number, number, string];
    if (size !== own.size) throw refusal(wire, `it is one of ${size} processes, and this run has ${own.size}`);
    if (about !== own.about) throw refusal(wire, `it runs something else: ${about} where process 0 has ${own.about}`);
    if (!Number.isInteger(rank) || rank < 1 || rank >= size || isTaken(rank))
      throw refusal(wire, `process ${rank} is there already`);
    wire.trust(MEMBER_BYTES);
    wire.send("welcome");
    return rank;
  });
}

/** The side of all others. @throws StillwaveError where process 0 refuses, or is none of this run */
export async function introduce(wire: Wire, own: Introduction): Promise<void> {
  await inTime(wire, async () => {
    const nonce = randomBytes(NONCE_BYTES);
    wire.send(HELLO, nonce);
    const asked = await wire.receive();
    if (asked.name === "refused") throw new StillwaveError(`it refused: ${Buffer.from(asked.body).toString()}`);
    const proof = await wire.receive();
    if (!isProof(proof.body, proofOf(own.secret, "first", nonce)))
      throw new StillwaveError("it has another secret, or belongs to another start (STILLWAVE_SECRET, MASTER_PORT)");
    const claim = Buffer.from(claimOf(own));
    wire.send("claim", claim);
    wire.send("proof", proofOf(own.secret, "other", asked.body, claim));
    const answer = await wire.receive();
    if (answer.name !== "welcome") throw new StillwaveError(`it refused: ${Buffer.from(answer.body).toString()}`);
    wire.trust(MEMBER_BYTES);
  });
}

function refusal(wire: Wire, reason: string): StillwaveError {
  wire.send("refused", Buffer.from(reason));
  return new StillwaveError(reason);
}

async function inTime<T>(wire: Wire, work: () => Promise<T>): Promise<T> {
  const late = setTimeout(() => void wire.close(), TIMEOUT_MS);
  try {
    return await work();
  } finally {
    clearTimeout(late);
  }
}
