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
