// A text on its sheet, and what is known of its characters. Texts can be long, so a text is one node of the
// document: characters are found by their place in it.

import { Choices, type Choice, named, percent } from './choices';
import { element } from './document';

/** Shows, for one sheet at a time, what else a character could have been. */
export class Lens {
  private readonly mark = element('mark');
  private readonly card = element('choice');
  private readonly said = element('said');

  show(choice: Choice, box: DOMRect): void {
    place(this.mark, box.left, box.top);
    this.mark.style.width = `${box.width}px`;
    this.mark.style.height = `${box.height}px`;
    this.card.replaceChildren(...rows(choice));
    this.mark.hidden = false;
    this.card.hidden = false;
    const { width, height } = this.card.getBoundingClientRect();
    const edge = 8;
    const left = Math.min(Math.max(edge, box.left + box.width / 2 - width / 2), innerWidth - width - edge);
    const below = box.bottom + edge;
    const isBelow = below + height <= innerHeight || box.top < height;
    place(this.card, left, isBelow ? below : box.top - height - edge);
  }

  hide(): void {
    this.mark.hidden = true;
    this.card.hidden = true;
  }

  /** Reads it aloud. */
  say(choice: Choice): void {
    const others = choice.candidates.slice(0, 3);
    const list = others.map(({ character, drawn }) => `${named(character).spoken} ${percent(drawn)}`);
    this.said.textContent = `${named(choice.character).spoken}, ${percent(choice.drawn)}. Likeliest: ${list.join(', ')}`;
  }
}

function place(node: HTMLElement, left: number, top: number): void {
  node.style.left = `${left + scrollX}px`;
  node.style.top = `${top + scrollY}px`;
}

function rows(choice: Choice): HTMLElement[] {
  const head = document.createElement('p');
  const { shown } = named(choice.character);
  const spelt = choice.draws > 1 ? `, spelt in ${choice.draws} draws,` : '';
  head.textContent = `“${shown}”${spelt} had ${percent(choice.drawn)}; by the model alone ${percent(choice.own)}.`;
  const list = document.createElement('ol');
  const most = choice.candidates[0]?.drawn ?? 1;
  for (const { character, drawn } of choice.candidates) {
    const row = document.createElement('li');
    const isTaken = choice.draws > 1 ? character === null : character === choice.character;
    row.classList.toggle('taken', isTaken);
    const glyph = document.createElement('span');
    glyph.textContent = named(character).shown;
    const bar = document.createElement('span');
    bar.className = 'bar';
    const share = document.createElement('i');
    share.style.width = `${(100 * drawn) / most}%`;
    bar.append(share);
    const number = document.createElement('span');
    number.textContent = percent(drawn);
    row.append(glyph, bar, number);
    list.append(row);
  }
  return [head, list];
}

/** A text that is being written, or has been. */
export class Sheet {
  readonly node = document.createElement('article');
  private readonly pre = document.createElement('pre');
  private readonly begin = document.createElement('span');
  private readonly written = document.createTextNode('');
  private readonly foot = document.createElement('footer');
  private readonly choices = new Choices();
  /** Where each character of the text begins, in code units. */
  private readonly starts: number[] = [];
  private cursor = -1;

  constructor(
    title: string,
    private readonly lens: Lens,
  ) {
    this.node.className = 'sheet';
    const head = document.createElement('h2');
    head.textContent = title;
    this.pre.className = 'text';
    this.pre.tabIndex = 0;
    this.pre.setAttribute('role', 'group');
    this.pre.setAttribute('aria-label', `Text, ${title}`);
    this.pre.setAttribute('aria-describedby', 'how');
    this.begin.className = 'begin';
    this.pre.append(this.begin, this.written);
    this.node.append(head, this.pre);
    this.pre.addEventListener('pointermove', (event) => this.point(event));
    this.pre.addEventListener('pointerdown', (event) => this.point(event));
    this.pre.addEventListener('pointerleave', (event) => {
      if (event.pointerType === 'mouse') this.lens.hide();
    });
    this.pre.addEventListener('keydown', (event) => this.key(event));
    this.pre.addEventListener('blur', () => this.lens.hide());
  }

  /** All of the text, with what it begins with. */
  get text(): string {
    return (this.begin.textContent ?? '') + this.written.data;
  }

  startWith(prompt: string): void {
    this.begin.textContent = prompt;
  }

  add(text: string, choices: Uint32Array): void {
    let at = this.written.length;
    for (const character of text) {
      this.starts.push(at);
      at += character.length;
    }
    this.written.appendData(text);
    this.choices.add(choices);
  }

  end(lines: Node[]): void {
    this.foot.replaceChildren(...lines);
    this.node.append(this.foot);
  }

  private point(event: PointerEvent): void {
    const offset = offsetAt(this.written, event.clientX, event.clientY);
    // The place between two characters that is nearest belongs to the one before it or the one behind it.
    const near = offset === null ? [] : [this.indexOf(offset), this.indexOf(offset) - 1];
    const hit = near.find((index) => {
      const box = this.box(index);
      return box !== null && box.left <= event.clientX && event.clientX <= box.right
        && box.top <= event.clientY && event.clientY <= box.bottom;
    });
    this.look(hit ?? -1, false);
  }

  private key(event: KeyboardEvent): void {
    const last = this.choices.length - 1;
    const moves: Record<string, number> = {
      ArrowRight: this.cursor + 1,
      ArrowLeft: this.cursor - 1,
      ArrowDown: this.vertical(1),
      ArrowUp: this.vertical(-1),
      Home: 0,
      End: last,
    };
    if (event.key === 'Escape') {
      this.lens.hide();
      return;
    }
    const to = moves[event.key];
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.look(Math.min(Math.max(to, 0), last), true);
  }

  /** The character above or below the one that is looked at. */
  private vertical(direction: 1 | -1): number {
    const here = this.box(this.cursor);
    if (here === null) return 0;
    let best = this.cursor;
    let row: number | null = null;
    for (let index = this.cursor + direction; index >= 0 && index < this.choices.length; index += direction) {
      const box = this.box(index);
      if (box === null || Math.abs(box.top - here.top) < here.height / 2) continue;
      row ??= box.top;
      if (Math.abs(box.top - row) > here.height / 2) break;
      best = index;
      if (direction > 0 ? box.right >= here.right : box.left <= here.left) break;
    }
    return best;
  }

  private look(index: number, aloud: boolean): void {
    const choice = this.choices.at(index);
    const box = this.box(index);
    if (choice === null || box === null) {
      this.lens.hide();
      return;
    }
    this.cursor = index;
    if (aloud) {
      this.reveal(box);
      this.lens.say(choice);
    }
    this.lens.show(choice, this.box(index) ?? box);
  }

  private reveal(box: DOMRect): void {
    const margin = 40;
    const above = box.top - margin;
    const below = box.bottom + margin - innerHeight;
    if (above < 0) scrollBy(0, above);
    else if (below > 0) scrollBy(0, below);
  }

  /** The character that a place in the text belongs to. */
  private indexOf(offset: number): number {
    let [low, high] = [0, this.starts.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((this.starts[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return low;
  }

  /** Where a character stands; a line end stands behind its line. */
  private box(index: number): DOMRect | null {
    const start = this.starts[index];
    if (start === undefined) return null;
    const range = document.createRange();
    range.setStart(this.written, start);
    range.setEnd(this.written, this.starts[index + 1] ?? this.written.length);
    const box = [...range.getClientRects()].at(-1);
    if (box === undefined) return null;
    return new DOMRect(box.left, box.top, Math.max(box.width, 6), box.height);
  }
}

/** The place in a text that is nearest to a point; none outside of it. */
function offsetAt(node: Text, x: number, y: number): number | null {
  if (document.caretPositionFromPoint) {
    const position = document.caretPositionFromPoint(x, y);
    return position?.offsetNode === node ? position.offset : null;
  }
  const range = document.caretRangeFromPoint?.(x, y);
  return range?.startContainer === node ? range.startOffset : null;
}
