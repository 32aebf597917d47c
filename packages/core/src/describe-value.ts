/** Members of a list or an object that are shown, levels of nesting, and characters in all. */
const mostMembers = 8;
const mostLevels = 3;
const mostCharacters = 240;

/**
 * How a value reads in an error message: short, unambiguous, never throwing, in time and space that do
 * not depend on the value.
 */
export function describeValue(value: unknown): string {
  return shorten(describeNested(value, 0, []), mostCharacters);
}

/** The message of something that was thrown, which may be any value. Never throws. */
export function messageOf(error: unknown): string {
  try {
    if (typeof error === "object" && error !== null && "message" in error) {
      const { message } = error;
      if (typeof message === "string" && message !== "") return message;
    }
  } catch {
    // Described like any other value.
  }
  return describeValue(error);
}

/** {@link messageOf} in an error message of another argument: as short as any value's description. */
export function describeThrown(error: unknown): string {
  return shorten(messageOf(error), mostCharacters);
}

/** @param around the lists that the value is in, so that a cycle ends */
function describeNested(value: unknown, level: number, around: readonly unknown[]): string {
  try {
    if (typeof value === "string") return JSON.stringify(shorten(value, mostCharacters / 3));
    if (typeof value === "function") return "a function";
    if (typeof value !== "object" || value === null)
      return shorten(String(value), mostCharacters / 3);
    if (Array.isArray(value)) return describeList(value, level, around);
    if (ArrayBuffer.isView(value)) return describeView(value);
    const names = Object.keys(value);
    const shown = names.slice(0, mostMembers).map((name) => shorten(name, 40));
    return `an object with ${shown.join(", ") || "no members"}`;
  } catch {
    return "a value that throws when it is read";
  }
}

function describeList(list: readonly unknown[], level: number, around: readonly unknown[]): string {
  if (around.includes(list)) return "[a list that contains itself]";
  if (level === mostLevels) return `[${list.length} elements]`;
  const shown: string[] = [];
  let characters = 0;
  for (let i = 0; i < Math.min(list.length, mostMembers); i++) {
    const text = describeNested(list[i], level + 1, [...around, list]);
    shown.push(text);
    characters += text.length;
    if (characters > mostCharacters) break;
  }
  const all = shown.length === list.length;
  return all ? `[${shown.join(", ")}]` : `[${shown.join(", ")}, … ${list.length} in all]`;
}

function describeView(view: ArrayBufferView): string {
  const name = Object.prototype.toString.call(view).slice(8, -1);
  const length = "length" in view ? view.length : view.byteLength;
  return `${name} of ${String(length)}`;
}

/** A text cut to a number of characters, with an ellipsis where something is missing. */
export function shorten(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most)}…`;
}
