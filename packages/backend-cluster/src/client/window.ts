/**
 * Works through a list with a few pieces of work at once.
 *
 * @throws what the first piece that fails throws (rejects), after no further one has begun
 */
export async function inWindow<T>(
  items: Iterable<T>,
  size: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = items[Symbol.iterator]();
  let failed = false;
  const worker = async (): Promise<void> => {
    for (let next = waiting.next(); !next.done && !failed; next = waiting.next()) {
      try {
        await work(next.value);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: size }, worker));
}
