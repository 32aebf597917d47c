/** A message with other members; those that are not set stay on its prototype, as protobuf-es has them. */
export function clone<T extends object>(message: T, members: Partial<T>): T {
  return Object.assign(Object.create(Object.getPrototypeOf(message)), message, members) as T;
}
