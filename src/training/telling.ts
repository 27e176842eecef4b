// Long work inside a generator: what it tells comes out as it happens, and whoever stops it or stops listening ends it.

const EVERY_MS = 250;

/**
 * What `work` comes to, undefined where `given` stopped it; meanwhile the latest of what it tells, a few times a second, and the
 * last of it. Its signal is the given one, or that of leaving the loop.
 */
export async function* telling<Told, Result>(
  work: (tell: (told: Told) => void, signal: AbortSignal) => Promise<Result>,
  given: AbortSignal | undefined,
): AsyncGenerator<Told, Result | undefined, undefined> {
  const left = new AbortController();
  const signal = given ? AbortSignal.any([given, left.signal]) : left.signal;
  let latest: Told | undefined;
  const working = work((told) => {
    latest = told;
  }, signal);
  // told when its turn comes; until then it must not count as unhandled
  const ended = working.then(
    () => true,
    () => true,
  );
  try {
    for (let isDone = false; !isDone; ) {
      isDone = await Promise.race([ended, wait()]);
      const told = latest;
      latest = undefined;
      if (told !== undefined) yield told;
    }
    return await working;
  } catch (error) {
    if (given?.aborted) return undefined;
    throw error;
  } finally {
    left.abort();
    await ended;
  }
}

const wait = (): Promise<false> =>
  new Promise((resolve) => {
    setTimeout(() => resolve(false), EVERY_MS).unref();
  });
