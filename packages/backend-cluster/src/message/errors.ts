/** A message that does not keep to the layout, or that names sizes beyond its limits. */
export class MalformedMessageError extends Error {
  override readonly name: string = "MalformedMessageError";
}
