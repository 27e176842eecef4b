// Notes for the user that come up inside calls, told as events of the generator that makes the calls.

/** Something the user should know: a torn checkpoint, a stale lock, bad files left out. */
export interface NoteEvent {
  readonly kind: "note";
  readonly text: string;
}

/** The events of `run`, and before each one what was noted since the last, also where `run` fails. */
export async function* withNotes<Event, Result>(
  run: (note: (text: string) => void) => AsyncGenerator<Event, Result, undefined>,
): AsyncGenerator<Event | NoteEvent, Result, undefined> {
  const texts: string[] = [];
  const events = run((text) => texts.push(text));
  try {
    for (;;) {
      const next = await events.next().catch((error: unknown) => ({ error }));
      for (const text of texts.splice(0)) yield { kind: "note", text };
      if ("error" in next) throw next.error;
      if (next.done) return next.value;
      yield next.value;
    }
  } finally {
    await events.return(undefined as never);
  }
}
