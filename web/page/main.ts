// The page: its form, the worker that writes, and the sheets that texts stand on.

import { Board } from './board';
import { element, line, part } from './document';
import { Refusal } from './engine';
import { offerFiles } from './firmware';
import type { Answer, Request } from './messages';
import { Models } from './models';
import * as link from './options';
import type { Options } from './options';
import { Lens, Sheet } from './sheet';

const FIELDS = ['prompt', 'temperature', 'top-k', 'top-p', 'guard', 'seed', 'length'] as const;

const form = element<HTMLFormElement>('form');
const button = element<HTMLButtonElement>('write');
const texts = element('texts');
const error = element('error');
const lens = new Lens();
const worker = new Worker('worker.js', { type: 'module' });
const models = new Models(post, () => void write());

let run = 0;
let isWriting = false;
let sheets: Sheet[] = [];
/** What the texts on the sheets follow from. */
let shown: Options = { ...link.USUAL };
let temperatures: string[] = [];
/** Their prompt, as the model read it. */
let read = '';
let ended = 0;

function post(request: Request): void {
  worker.postMessage(request, request.kind === 'open' ? [request.image] : []);
}

function field(name: (typeof FIELDS)[number]): HTMLInputElement | HTMLTextAreaElement {
  return element<HTMLInputElement>(name);
}

function options(): Options {
  const read = { ...link.USUAL, model: models.name, checksum: models.foreignChecksum };
  for (const name of FIELDS) read[name] = field(name).value;
  return read;
}

function fill(options: Options): void {
  for (const name of FIELDS) field(name).value = options[name];
  const { USUAL } = link;
  element<HTMLDetailsElement>('more').open = (['top-k', 'top-p', 'guard'] as const).some((n) => options[n] !== USUAL[n]);
}

/** Says what is wrong, at the field that it is wrong in. */
function refuse(sentence: string): void {
  error.textContent = sentence;
  for (const name of FIELDS) {
    const isWrong = sentence.startsWith(`${name}:`);
    field(name).toggleAttribute('aria-invalid', false);
    if (isWrong) field(name).setAttribute('aria-invalid', 'true');
    if (isWrong && element('more').contains(field(name))) element<HTMLDetailsElement>('more').open = true;
  }
  setWriting(false);
}

function setWriting(now: boolean): void {
  isWriting = now;
  button.textContent = now ? 'Stop' : 'Write';
  texts.setAttribute('aria-busy', String(now));
}

function write(): void {
  if (!models.isOpen) return;
  refuse('');
  run += 1;
  try {
    const now = options();
    const all = link.temperatures(now);
    const settings = all.map((temperature) => link.settings(now, temperature));
    const request: Request = { kind: 'write', run, settings, prompt: now.prompt, length: link.length(now) };
    [shown, temperatures, ended] = [now, all, 0];
    post(request);
    setWriting(true);
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    refuse(refusal.message);
  }
}

function hear(answer: Answer): void {
  switch (answer.kind) {
    case 'opened':
      models.opened(answer.model);
      break;
    case 'refused':
      if (answer.run === null) models.refused(answer.sentence);
      else if (answer.run === run) refuse(answer.sentence);
      break;
    case 'begun':
      if (answer.run === run) begin(answer.prompt, answer.note);
      break;
    case 'text':
      if (answer.run === run) sheets[answer.column]?.add(answer.text, answer.choices);
      break;
    case 'ended':
      if (answer.run === run) end(answer);
      break;
  }
}

function begin(prompt: string, note: string): void {
  lens.hide();
  read = prompt;
  sheets = temperatures.map((temperature) => new Sheet(`temperature ${temperature}`, lens));
  for (const sheet of sheets) sheet.startWith(prompt);
  texts.replaceChildren(...sheets.map((sheet) => sheet.node));
  element('note').textContent = note;
  history.replaceState(null, '', link.toLink(shown));
}

function end({ column, checksum, characters, speed }: Answer & { kind: 'ended' }): void {
  const count = new Intl.NumberFormat('en');
  const command = document.createElement('code');
  command.textContent = link.command(shown, temperatures[column] ?? '');
  sheets[column]?.end([
    line(
      part('checksum '),
      part(checksum, 'checksum'),
      ' · ',
      part(`${count.format(characters)} characters`),
      ' · ',
      part(`${count.format(Math.round(speed))} characters/s`),
    ),
    command,
  ]);
  ended += 1;
  if (ended === sheets.length) setWriting(false);
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  if (isWriting) {
    run += 1;
    post({ kind: 'stop' });
    setWriting(false);
  } else {
    write();
  }
});

field('prompt').addEventListener('keydown', (event) => {
  const { key, ctrlKey, metaKey } = event as KeyboardEvent;
  if (key === 'Enter' && (ctrlKey || metaKey)) form.requestSubmit();
});

element('another').addEventListener('click', () => {
  const [number = 0] = crypto.getRandomValues(new Uint16Array(1));
  field('seed').value = String(number);
  write();
});

element('link').addEventListener('click', async () => {
  const address = new URL(link.toLink(options()), location.href).href;
  const copied = element('copied');
  try {
    await navigator.clipboard.writeText(address);
    copied.textContent = 'Copied. Whoever opens it sees the same characters.';
  } catch {
    history.replaceState(null, '', address);
    copied.textContent = 'The browser does not let the page copy: take the address from its bar.';
  }
});

function restore(): void {
  const wanted = link.fromLink(location.hash);
  fill(wanted);
  void models.choose(wanted.model, wanted.checksum);
}

addEventListener('hashchange', restore);
addEventListener('scroll', () => lens.hide(), { passive: true });
addEventListener('resize', () => lens.hide());
worker.addEventListener('message', ({ data }: MessageEvent<Answer>) => hear(data));
worker.addEventListener('error', () => refuse('The engine could not be started: reload the page.'));

new Board(models, () => {
  const [sheet] = sheets;
  if (sheet === undefined || isWriting) throw new Refusal('There is no complete text on the page yet.');
  return { text: sheet.text, lines: link.lines(shown, temperatures[0] ?? '', read) };
});
void offerFiles(models);

void models.list().then(restore);
