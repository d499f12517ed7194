// The console of a board: of a real one behind a cable, or of the Pico that runs in the page.

import { Parser } from './console';
import { element, save } from './document';
import { Refusal } from './engine';
import { file, firmware } from './firmware';
import type { Models } from './models';
import { Cable, Emulated, GONE, type Port, hasSerial } from './port';
import { type Progress, Sending } from './sending';

/** What the speed is measured over. */
const WINDOW_MS = 3000;

/** Characters of the console that stay on the screen; the log keeps all. */
const MOST_SHOWN = 60_000;

/** What sends the board the model of the page, as in the console of the command line. */
const SEND = /^\/send(?: +(.*))?$/;

/** A text that stands on the page, and the lines that have a board write it. */
export interface Told {
  text: string;
  lines: string[];
}

export class Board {
  private readonly screen = element('screen');
  private readonly line = element<HTMLInputElement>('line');
  private readonly send = element<HTMLFormElement>('send');
  private readonly status = element('status');
  private readonly trouble = element('trouble');
  private readonly connect = element<HTMLButtonElement>('connect');
  private readonly emulate = element<HTMLButtonElement>('emulate');
  private readonly leave = element<HTMLButtonElement>('leave');
  private readonly same = element<HTMLButtonElement>('same');
  private readonly save = element<HTMLButtonElement>('save');
  private readonly sendModel = element<HTMLButtonElement>('send-model');
  private parser: Parser | null = null;
  private port: Port | null = null;
  private log = '';
  private readonly typed: string[] = [];
  private recalled = 0;
  /** When characters came, and how many. */
  private arrivals: [number, number][] = [];

  /** Lines that wait until the board has dealt with the one before. */
  private waiting: string[] = [];
  /** The passage that the board writes. */
  private passage = '';
  /** What it should be, if it was told. */
  private wanted: string | null = null;
  /** The model that is on its way to it. */
  private sending: Sending | null = null;
  /** It is gone, and waited for. */
  private isAway = false;

  constructor(
    private readonly models: Models,
    private readonly told: () => Told,
  ) {
    this.same.addEventListener('click', () => void this.repeat());
    this.connect.addEventListener('click', () => void this.begin(() => Cable.ask(), 'a board'));
    this.emulate.addEventListener('click', () => void this.begin(() => this.pico(), 'the Pico in this page'));
    this.leave.addEventListener('click', () => void this.end('Disconnected.'));
    this.save.addEventListener('click', () => this.download());
    this.sendModel.addEventListener('click', () => void this.replaceModel(''));
    element('stop').addEventListener('click', () => this.sending?.stop());
    this.send.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.type();
    });
    this.line.addEventListener('keydown', (event) => this.recall(event));
    if (!hasSerial()) {
      this.connect.disabled = true;
      element('no-serial').hidden = false;
    }
    setInterval(() => this.tell(), 500);
    this.tell();
  }

  /** A Pico with the model that was chosen. */
  private async pico(): Promise<Port> {
    const pico = (await firmware()).find(({ bin }) => bin !== undefined);
    if (pico?.bin === undefined || pico.model === null) throw new Refusal('The page was built without firmware.');
    const image = await this.models.image();
    if (image.byteLength > pico.model.bytes) {
      throw new Refusal(`The model has ${image.byteLength} bytes, and a Pico has room for ${pico.model.bytes}.`);
    }
    return new Emulated(await file(pico.bin), { image, at: pico.model.address });
  }

  private async begin(find: () => Promise<Port>, name: string): Promise<void> {
    this.trouble.textContent = '';
    try {
      const port = await find();
      await this.end('');
      this.parser ??= await Parser.start();
      this.parser.reset();
      this.screen.replaceChildren();
      this.log = '';
      this.arrivals = [];
      await port.open(
        (bytes) => this.hear(bytes),
        (why) => void this.lose(why),
      );
      this.port = port;
      this.notice(`Connected to ${name}. A line starts a passage with it; /help lists the commands.`);
      this.line.focus();
      // A board that runs already has told what it is to nobody.
      if (port instanceof Cable) await port.write(this.parser.typed('/model'));
    } catch (error) {
      this.refuse(error);
    }
    this.tell();
  }

  /** The board is gone. One that has begun to take a model is waited for: it restarts when it has all of it. */
  private async lose(why: string): Promise<void> {
    const { port, sending } = this;
    if (sending === null || port?.reopen === undefined) return this.end(why);
    this.notice('The board is gone: it is waited for.');
    this.isAway = true;
    await port.reopen();
    if (this.port !== port) return;
    this.isAway = false;
    this.parser?.reset();
    this.notice('The board is there again.');
    sending.reconnect();
  }

  private async end(why: string): Promise<void> {
    const { port } = this;
    [this.port, this.waiting, this.wanted, this.isAway] = [null, [], null, false];
    this.sending?.stop();
    await port?.close();
    if (port !== null && why !== '') this.notice(why);
    this.tell();
  }

  private hear(bytes: Uint8Array): void {
    const { parser } = this;
    if (parser === null) return;
    this.sending?.hear(bytes);
    let characters = 0;
    for (const piece of parser.hear(bytes)) {
      if (piece.kind === 'text') {
        characters += [...piece.text].length;
        this.passage += piece.text;
        this.write(piece.text);
      } else if (piece.kind === 'done') {
        void this.next();
      } else {
        // A bar tells of a model that comes in.
        const isQuiet = piece.is === 'load' && this.sending !== null;
        this.aside(`# ${piece.line}`, isQuiet ? 'logged' : 'said');
        if (piece.is === 'start') this.passage = '';
        if (piece.is === 'end') this.compare();
      }
    }
    const now = performance.now();
    if (characters > 0) this.arrivals.push([now, characters]);
  }

  /** Sends the board a model: one that the page brings, by its name, or the one that is chosen. */
  private async replaceModel(name: string): Promise<void> {
    const { port } = this;
    if (port === null || this.sending !== null) return;
    this.trouble.textContent = '';
    [this.waiting, this.wanted] = [[], null];
    try {
      const model = await this.models.named(name);
      const sending = await Sending.begin(model.name, new Uint8Array(model.image));
      this.sending = sending;
      this.tell();
      const said = await sending.run(
        (bytes) => port.write(bytes),
        (progress) => this.show(progress),
      );
      this.notice(said);
    } catch (error) {
      this.refuse(error);
    } finally {
      this.sending = null;
      if (this.isAway) await this.end(GONE);
      this.tell();
      if (this.port !== null) this.line.focus();
    }
  }

  /** Says how far the model is. */
  private show({ doing, bytes, of }: Progress): void {
    element('doing').textContent = doing;
    const bar = element<HTMLProgressElement>('progress');
    [bar.value, bar.max] = [bytes, of];
    bar.textContent = `${bytes} of ${of} bytes`;
  }

  /** Has the board write the text that stands on the page. */
  private async repeat(): Promise<void> {
    this.trouble.textContent = '';
    try {
      const { text, lines } = this.told();
      [this.waiting, this.wanted] = [lines, text];
      await this.next();
    } catch (error) {
      this.refuse(error);
    }
  }

  /** Sends the next line of those that wait. */
  private async next(): Promise<void> {
    const line = this.waiting.shift();
    if (line === undefined || this.parser === null) return;
    try {
      const bytes = this.parser.typed(line);
      this.aside(`> ${line}`, 'typed');
      await this.port?.write(bytes);
    } catch (error) {
      this.waiting = [];
      this.refuse(error);
    }
  }

  private compare(): void {
    const { wanted, passage } = this;
    // A passage that was being written before is none that was asked for.
    if (wanted === null || this.waiting.length > 0) return;
    this.wanted = null;
    const count = [...wanted].length;
    this.notice(
      passage === wanted
        ? `The same ${count} characters as on the page.`
        : 'These are not the characters of the page: the board has another model, or was told something else.',
    );
  }

  private async type(): Promise<void> {
    const { parser, port } = this;
    const line = this.line.value;
    if (parser === null || port === null) return;
    this.trouble.textContent = '';
    try {
      const bytes = parser.typed(line);
      this.aside(`> ${line}`, 'typed');
      this.typed.push(line);
      this.recalled = this.typed.length;
      this.line.value = '';
      const model = SEND.exec(line);
      if (model !== null) await this.replaceModel(model[1]?.trim() ?? '');
      else await port.write(bytes);
    } catch (error) {
      this.refuse(error);
    }
  }

  /** Lines that were typed before. */
  private recall(event: KeyboardEvent): void {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    this.recalled = Math.min(Math.max(this.recalled + step, 0), this.typed.length);
    this.line.value = this.typed[this.recalled] ?? '';
  }

  /** Adds text of the model. */
  private write(text: string): void {
    this.log += text;
    this.keep(() => {
      const { lastChild } = this.screen;
      if (lastChild instanceof Text) lastChild.appendData(text);
      else this.screen.append(text);
    });
  }

  /** Adds a line of its own. */
  private aside(line: string, kind: 'said' | 'typed' | 'notice' | 'logged'): void {
    const isMidLine = this.log !== '' && !this.log.endsWith('\n');
    this.log += `${isMidLine ? '\n' : ''}${line}\n`;
    if (kind === 'logged') return;
    const row = document.createElement('span');
    row.className = kind;
    row.textContent = line;
    this.keep(() => this.screen.append(row));
  }

  private notice(line: string): void {
    this.aside(line, 'notice');
  }

  /** Changes the screen, which stays at its end if it was there. */
  private keep(change: () => void): void {
    const { scrollTop, scrollHeight, clientHeight } = this.screen;
    const isAtEnd = scrollTop + clientHeight >= scrollHeight - 30;
    change();
    let surplus = (this.screen.textContent?.length ?? 0) - MOST_SHOWN;
    while (surplus > 0 && this.screen.firstChild !== null) {
      const { firstChild } = this.screen;
      const length = firstChild.textContent?.length ?? 0;
      if (firstChild instanceof Text && length > surplus) firstChild.deleteData(0, surplus);
      else firstChild.remove();
      surplus -= length;
    }
    if (isAtEnd) this.screen.scrollTop = this.screen.scrollHeight;
  }

  private refuse(error: unknown): void {
    this.trouble.textContent = error instanceof Error ? error.message : String(error);
  }

  private tell(): void {
    const isConnected = this.port !== null;
    const isTyping = isConnected && this.sending === null;
    this.leave.disabled = !isConnected;
    this.line.disabled = !isTyping;
    this.same.disabled = !isTyping;
    this.sendModel.disabled = !isTyping;
    element('sending').hidden = this.sending === null;
    this.save.disabled = this.log === '';
    const { parser } = this;
    if (!isConnected || parser === null) {
      this.status.textContent = 'not connected';
      return;
    }
    const now = performance.now();
    this.arrivals = this.arrivals.filter(([time]) => now - time < WINDOW_MS);
    const characters = this.arrivals.reduce((sum, [, count]) => sum + count, 0);
    const { board, model, seed, settings, isPaused } = parser.known();
    const pace = isPaused || this.sending !== null ? 'paused' : `${Math.round((1000 * characters) / WINDOW_MS)} characters/s`;
    const parts = [board, pace, settings, seed && `seed ${seed}`, model];
    this.status.textContent = parts.filter((part) => part !== '').join(' · ');
  }

  private download(): void {
    save('inkling.txt', this.log);
  }
}
