// `fetch` that tells how much of a file has been sent: the hub's client has no progress outside of browsers.

/** What the hub's client says of an upload beside the request. */
interface ProgressHint {
  readonly path: string;
  readonly part?: number;
}

/** Called as bytes of a large file go out: of one of its parts, or of the whole. */
export type OnSent = (path: string, bytes: number) => void;

/** Bytes of all parts of a file that have gone out. A request that is sent again begins anew. */
export function countedFetch(onSent: OnSent): typeof fetch {
  const sent = new Map<string, Map<number, number>>();
  return (input, init) => {
    const hint = (init as { readonly progressHint?: Partial<ProgressHint> } | undefined)?.progressHint;
    const { body } = init ?? {};
    if (!(body instanceof Blob) || hint?.path === undefined) return fetch(input, init);
    const { path, part = 0 } = hint;
    const parts = sent.get(path) ?? new Map<number, number>();
    sent.set(path, parts.set(part, 0));
    const count = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        parts.set(part, (parts.get(part) ?? 0) + chunk.byteLength);
        onSent(
          path,
          [...parts.values()].reduce((sum, bytes) => sum + bytes, 0),
        );
        controller.enqueue(chunk);
      },
    });
    const headers = new Headers(init?.headers);
    headers.set("content-length", String(body.size));
    // `duplex` is missing in the types of Node 20
    const streamed = { ...init, headers, body: body.stream().pipeThrough(count), duplex: "half" };
    return fetch(input, streamed as RequestInit);
  };
}
