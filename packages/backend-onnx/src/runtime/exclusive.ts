/** The last thing that each runtime was asked to do and has not done. */
const last = new WeakMap<object, Promise<unknown>>();

/**
 * Does things with a runtime one after another, in the order in which they were asked for. Two
 * backends may share a runtime, since it is a module: so do their turns.
 */
export function exclusively<R>(runtime: object, act: () => Promise<R>): Promise<R> {
  const before = last.get(runtime);
  const turn = before ? before.then(act, act) : act();
  last.set(runtime, turn);
  // What failed was told to whoever asked for it; the next turn does not care.
  const done = (): void => {
    if (last.get(runtime) === turn) last.delete(runtime);
  };
  turn.then(done, done);
  return turn;
}
