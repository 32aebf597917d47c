/**
 * Lets the event loop turn. Backends that compute on the calling thread resolve without it, and a
 * run of nothing else would leave no moment for Ctrl-C, a progress bar or a page's own drawing.
 */
export function breathe(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}
