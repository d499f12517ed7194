// Parts of the document by their names.

/** The element of that name, which the document has. */
export function element<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no ${id}`);
  return found as T;
}

/** A line of text, with parts that must not be broken. */
export function line(...parts: (string | Node)[]): HTMLParagraphElement {
  const paragraph = document.createElement('p');
  paragraph.append(...parts);
  return paragraph;
}

/** A part of a line. */
export function part(text: string, className = ''): HTMLSpanElement {
  const span = document.createElement('span');
  span.textContent = text;
  if (className !== '') span.className = className;
  return span;
}

/** Has the browser save a file. */
export function save(name: string, content: string | Uint8Array<ArrayBuffer>): void {
  const type = typeof content === 'string' ? 'text/plain' : 'application/octet-stream';
  const address = URL.createObjectURL(new Blob([content], { type }));
  const link = document.createElement('a');
  [link.href, link.download] = [address, name];
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
