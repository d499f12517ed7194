// Which model writes: one that the page brings, or an image of the reader's own.

import { element } from './document';
import { type Model, Refusal } from './engine';
import type { Request } from './messages';

/** A model of the page's list. */
interface Offered {
  name: string;
  bytes: number;
  checksum: string;
}

/** The list, and the image of a model in it. */
const LIST = 'models/models.json';

/** A file that is much larger than any model is not read at all. */
const MOST_BYTES = 64 * 1024 * 1024;

export class Models {
  private readonly select = element<HTMLSelectElement>('model');
  private readonly facts = element('facts');
  private readonly refusal = element('refused');
  private offered: Offered[] = [];
  /** Images of the reader's own, by the values of their options. */
  private readonly own = new Map<string, ArrayBuffer>();
  private wanted = '';
  private open: { value: string; model: Model } | null = null;

  constructor(
    private readonly post: (request: Request) => void,
    private readonly changed: () => void,
  ) {
    this.select.addEventListener('change', () => void this.load(this.select.value));
    const file = element<HTMLInputElement>('file');
    file.addEventListener('change', () => {
      const [chosen] = file.files ?? [];
      if (chosen !== undefined) void this.take(chosen);
      file.value = '';
    });
    this.listenForDrops();
  }

  get isOpen(): boolean {
    return this.open !== null;
  }

  /** The name by which `inkling sample` knows it. */
  get name(): string {
    const open = this.open;
    if (open === null) return '';
    return this.own.has(open.value) ? open.model.name : open.value;
  }

  /** The checksum of a model that the page does not bring; a link names it. */
  get foreignChecksum(): string {
    const open = this.open;
    return open !== null && this.own.has(open.value) ? open.model.checksum : '';
  }

  /** The image of the model that writes. */
  async image(): Promise<ArrayBuffer> {
    return (await this.bytes(this.open?.value ?? '')).slice(0);
  }

  /** A model by its name, or, without one, that which writes. Throws a `Refusal` where there is none. */
  async named(name: string): Promise<{ name: string; image: ArrayBuffer }> {
    if (name === '' || name === this.name) return { name: this.name || 'the model', image: await this.image() };
    if (!this.offered.some((model) => model.name === name)) {
      throw new Refusal(`This page brings no model ${name}: open its image, and send it from there.`);
    }
    return { name, image: await this.bytes(name) };
  }

  /** Reads the list. */
  async list(): Promise<void> {
    try {
      const response = await fetch(LIST);
      this.offered = response.ok ? ((await response.json()) as Offered[]) : [];
    } catch {
      this.offered = [];
    }
    if (this.offered.length === 0) this.refused('The list of models cannot be loaded: open an image of your own.');
    this.select.replaceChildren(...this.offered.map(({ name }) => new Option(name, name)));
  }

  /** Opens the model of that name, if it is at hand, and else the first. */
  async choose(name: string, checksum: string): Promise<void> {
    this.refusal.textContent = '';
    const own = [...this.select.options].find((option) => checksum !== '' && option.value.endsWith(`:${checksum}`));
    const offered = this.offered.find((model) => model.name === name);
    const isThere = own !== undefined || (offered !== undefined && (checksum === '' || checksum === offered.checksum));
    const value = own?.value ?? offered?.name ?? this.offered[0]?.name;
    if (value === undefined) return;
    if (value === this.open?.value) this.changed();
    else await this.load(value);
    if (!isThere) {
      const which = checksum === '' ? name : `${name} (${checksum})`;
      this.refusal.textContent = `The link is about the model ${which}, which this page does not bring: drop its image here.`;
    }
  }

  /** The worker has taken the model that was wanted. */
  opened(model: Model): void {
    this.open = { value: this.wanted, model };
    if (this.own.has(this.wanted)) {
      // Only now is it known what it is.
      const image = this.own.get(this.wanted);
      this.own.delete(this.wanted);
      const value = `own:${model.checksum}`;
      if (image !== undefined) this.own.set(value, image);
      if (![...this.select.options].some((option) => option.value === value)) {
        this.select.add(new Option(`${model.name || 'unnamed'} (your own)`, value));
      }
      this.open.value = value;
    }
    this.select.value = this.open.value;
    const kib = (model.bytes / 1024).toFixed(0);
    const layers = model.layers > 1 ? `${model.layers} layers of ` : '';
    this.facts.textContent = `${kib} KiB, ${layers}${model.hidden} hidden units, ${model.symbols} symbols, checksum ${model.checksum}`;
    this.changed();
  }

  /** It has not. The one before goes on. */
  refused(sentence: string): void {
    const what = this.own.has(this.wanted) ? `${this.wanted.replace(/^own:/, '')}: ` : '';
    this.own.delete(this.wanted);
    this.refusal.textContent = what + sentence;
    if (this.open !== null) this.select.value = this.open.value;
  }

  private async load(value: string): Promise<void> {
    this.refusal.textContent = '';
    this.wanted = value;
    try {
      const image = await this.bytes(value);
      if (this.wanted === value) this.post({ kind: 'open', image: image.slice(0) });
    } catch {
      this.refused(`${value} cannot be loaded: reload the page, or choose another model.`);
    }
  }

  private async bytes(value: string): Promise<ArrayBuffer> {
    const own = this.own.get(value);
    if (own !== undefined) return own;
    const response = await fetch(`models/${encodeURIComponent(value)}.img`);
    if (!response.ok) throw new Error(`no ${value}`);
    return response.arrayBuffer();
  }

  /** Takes a file of the reader's. */
  private async take(file: File): Promise<void> {
    if (file.size > MOST_BYTES) {
      this.refusal.textContent = `${file.name}: it is too large for a model image.`;
      return;
    }
    const value = `own:${file.name}`;
    this.own.set(value, await file.arrayBuffer());
    await this.load(value);
  }

  private listenForDrops(): void {
    const curtain = element('dropping');
    const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files') ?? false;
    addEventListener('dragover', (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      curtain.hidden = false;
    });
    addEventListener('dragleave', (event) => {
      if (event.relatedTarget === null) curtain.hidden = true;
    });
    addEventListener('drop', (event) => {
      curtain.hidden = true;
      if (!hasFiles(event)) return;
      event.preventDefault();
      const [file] = event.dataTransfer?.files ?? [];
      if (file !== undefined) void this.take(file);
    });
  }
}
