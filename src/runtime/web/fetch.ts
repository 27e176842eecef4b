// Fetching a model file, with errors that name the URL.
import { StillwaveError } from "../../errors.ts";

/** The bytes at `url`. A page in place of the file (single-page servers answer so) is an error, not a model. */
export async function fetchBytes(url: string | URL): Promise<Uint8Array<ArrayBuffer>> {
  let response: Response;
  try {
    response = await fetch(url);
  } catch (error) {
    throw new StillwaveError(`${url}: cannot be fetched (${(error as Error).message})`);
  }
  if (!response.ok)
    throw new StillwaveError(`${url}: the server answers ${response.status} ${response.statusText}`.trim());
  if (response.headers.get("content-type")?.startsWith("text/html"))
    throw new StillwaveError(`${url}: the server answers with a web page; check the address`);
  try {
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    throw new StillwaveError(`${url}: the transfer broke off (${(error as Error).message})`);
  }
}
