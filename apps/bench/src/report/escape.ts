/**
 * Text as a cell of CSV that a spreadsheet does not take for a formula: such a cell gets an apostrophe in
 * front, which spreadsheets show as text (OWASP, CSV injection). Numbers are to be left as they are.
 */
export function csvText(text: string): string {
  return /^[=+\-@\t\r\n]/.test(text) ? `'${text}` : text;
}

/** Text of unknown origin as GitHub's Markdown that shows it as it is, in one line. */
export function markdownText(text: string): string {
  return (
    text
      .replace(/[\r\n]+/g, " ")
      .replace(/[\\`*_[\]|~]/g, "\\$&")
      .replaceAll("&", "&amp;")
      .replaceAll("<", "&lt;")
      .replaceAll(">", "&gt;")
      // Characters that would begin a heading or a list at the start of the text.
      .replace(/^(\s*)(#+|[+-])(?=\s|$)/, "$1\\$2")
      .replace(/^(\s*\d+)([.)])(?=\s|$)/, "$1\\$2")
  );
}

/** A name as code in GitHub's Markdown; as text if it is no plain name, which could end the code. */
export function markdownCode(name: string): string {
  return /^[\w@:./-]+$/.test(name) ? `\`${name}\`` : markdownText(name);
}
