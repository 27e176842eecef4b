// Notes for the user that come up inside calls, told as events of the generator that makes the calls.

/** Something the user should know: a torn checkpoint, a stale lock, bad files left out. */
export interface NoteEvent {
  readonly kind: "note";
  readonly text: string;
}

/**
 * The events of `run`, and what it notes as soon as it does, also while it works on its next event and where it fails. Whoever
 * leaves in the middle waits until `run` has come to that event.
 */
export async function* withNotes<Event, Result>(
  run: (note: (text: string) => void) => AsyncGenerator<Event, Result, undefined>,
): AsyncGenerator<Event | NoteEvent, Result, undefined> {
  const texts: string[] = [];
  let wake = () => {};
  const events = run((text) => {
    texts.push(text);
    wake();
  });
  try {
    for (;;) {
      const coming = events.next().catch((error: unknown) => ({ error }));
      let next: Awaited<typeof coming> | undefined;
      while (!next) {
        const noted = new Promise<undefined>((resolve) => {
          wake = () => resolve(undefined);
        });
        if (texts.length === 0) next = await Promise.race([noted, coming]);
        for (const text of texts.splice(0)) yield { kind: "note", text };
      }
      if ("error" in next) throw next.error;
      if (next.done) return next.value;
      yield next.value;
    }
  } finally {
    await events.return(undefined as never);
  }
}
