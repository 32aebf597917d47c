/** The function `run` of a module that is kept as text. */
export async function instantiate(
  base64: string,
  imports: WebAssembly.Imports = {},
): Promise<(...args: number[]) => void> {
  const { instance } = await WebAssembly.instantiate(decode(base64), imports);
  return instance.exports.run as (...args: number[]) => void;
}

export function decode(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}
