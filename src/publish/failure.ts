// What it means when the hub refuses a push: one sentence for the user.
import { StillwaveError } from "../errors.ts";
import { formatBytes } from "../log/format.ts";

/** Where a push stood when it failed. */
export interface PushState {
  readonly repository: string;
  readonly endpoint: string;
  /** What was asked of the hub. */
  readonly doing: string;
  /** The large file whose bytes were under way, if any. */
  readonly file?: { readonly path: string; readonly sent: number; readonly bytes: number };
}

interface HubFailure extends Error {
  readonly statusCode?: number;
  readonly url?: string;
}

const AGAIN = "push again: files that have arrived are not sent twice";

/** The refusal as an error that names repository, place and remedy. */
export function pushFailure(error: unknown, state: PushState): StillwaveError {
  if (error instanceof StillwaveError) return error;
  const { statusCode, message } = error as HubFailure;
  const { repository, doing, file } = state;
  const what = `${repository}: ${doing}${file ? ` (${file.path})` : ""}`;
  const text = statusCode === undefined ? networkFailure(error as Error, state) : refusal(statusCode, message, state);
  return new StillwaveError(`${what}: ${text}`, { cause: error });
}

function refusal(status: number, message: string, { repository, endpoint, file }: PushState): string {
  const [organisation] = repository.split("/");
  const said = message
    .replace(/\.? URL: \S+/, "")
    .replace(/\.? Request ID: \S+/, "")
    .trim();
  const at = file ? `${file.path}, ${formatBytes(file.bytes)},` : "a file";
  switch (status) {
    case 401:
      return `${endpoint} does not know the token (401); make a new one there, then set HF_TOKEN or give --token`;
    case 403:
      return `the token may not write there (403): ${said}; use one with write access, of a member of ${organisation}`;
    case 404:
      return `${endpoint} has no such user, organisation or repository, or the token may not see it (404); check the name ${repository}`;
    case 409:
      return `the repository was changed meanwhile (409): ${said}; push again`;
    case 413:
      return `${at} is larger than ${endpoint} takes (413): ${said}; store the weights as float16 (stillwave convert --dtype float16), or leave it out`;
    case 429:
      return `${endpoint} asks for fewer requests (429); wait a few minutes and push again`;
    default:
      return `${endpoint} answered ${status}: ${said}${status >= 500 ? `; ${AGAIN}` : ""}`;
  }
}

function networkFailure(error: Error, { endpoint, file }: PushState): string {
  const cause = error.cause as (Error & { readonly code?: string }) | undefined;
  const reason = cause?.message || cause?.code || error.message;
  const at = file ? ` after ${formatBytes(file.sent)} of ${formatBytes(file.bytes)}` : "";
  return `the connection to ${endpoint} failed${at} (${reason}); ${AGAIN}`;
}
