// The settings of the page: read from its form, and kept in a link that restores them.

import { Refusal, type Settings } from './engine';

/** Texts that stand side by side, at most. */
const MOST_TEXTS = 4;

/** The longest text: what a browser shows without effort. */
const MOST_CHARACTERS = 100_000;

/** All settings, as they are typed. */
export interface Options {
  model: string;
  /** Which model exactly; empty where that does not matter. */
  checksum: string;
  prompt: string;
  temperature: string;
  'top-k': string;
  'top-p': string;
  guard: string;
  seed: string;
  length: string;
}

export const USUAL: Options = {
  model: 'shakespeare-64k',
  checksum: '',
  prompt: '',
  temperature: '0.8',
  'top-k': '0',
  'top-p': '1',
  guard: 'text',
  seed: '1',
  length: '1000',
};

const NAMES = Object.keys(USUAL) as (keyof Options)[];

/** The options that a link has; what it leaves out is as usual. */
export function fromLink(hash: string): Options {
  const given = new URLSearchParams(hash.replace(/^#/, ''));
  const options = { ...USUAL };
  for (const name of NAMES) options[name] = given.get(name) ?? options[name];
  return options;
}

/** What a link has to say: the model, and what is not as usual. */
export function toLink(options: Options): string {
  const said = new URLSearchParams();
  for (const name of NAMES) {
    if (name === 'model' || name === 'seed' || options[name] !== USUAL[name]) said.set(name, options[name]);
  }
  return `#${said}`;
}

/** The temperatures, one for each text. */
export function temperatures(options: Options): string[] {
  const all = options.temperature.split(/[,;\s]+/).filter((part) => part !== '');
  if (all.length === 0) throw new Refusal('temperature: expected a number, such as 0.8');
  if (all.length > MOST_TEXTS) throw new Refusal(`temperature: at most ${MOST_TEXTS} can stand side by side`);
  return all;
}

/** How many characters are written. */
export function length(options: Options): number {
  const text = options.length.trim();
  const number = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (number < 1 || number > MOST_CHARACTERS) {
    throw new Refusal(`length: expected a whole number from 1 to ${MOST_CHARACTERS}`);
  }
  return number;
}

/** What the engine is told for a text. */
export function settings(options: Options, temperature: string): Settings {
  return {
    temperature,
    topK: options['top-k'].trim(),
    topP: options['top-p'].trim(),
    guard: options.guard.trim(),
    seed: options.seed.trim(),
  };
}

/** The command that prints the same text on a PC. */
export function command(options: Options, temperature: string): string {
  const words = ['inkling', 'sample', options.model];
  if (options.prompt !== '') words.push('--prompt', options.prompt);
  words.push('--temperature', temperature);
  for (const name of ['top-k', 'top-p', 'guard'] as const) {
    if (options[name] !== USUAL[name]) words.push(`--${name}`, options[name].trim());
  }
  words.push('--seed', options.seed.trim(), '--length', options.length.trim());
  return words.map(quoted).join(' ');
}

/** The lines that have a board write the same. */
export function lines(options: Options, temperature: string, prompt: string): string[] {
  if (prompt.includes('\n')) throw new Refusal('A board takes a prompt of one line only.');
  const begin = prompt === '' ? [] : [`/prompt ${prompt}`];
  return [
    '/pause',
    `/temp ${temperature}`,
    `/topk ${options['top-k'].trim()}`,
    `/topp ${options['top-p'].trim()}`,
    `/guard ${options.guard.trim()}`,
    '/until off',
    '/rate max',
    `/len ${options.length.trim()}`,
    `/seed ${options.seed.trim()}`,
    ...begin,
    '/resume',
  ];
}

/** A word as a shell takes it. */
function quoted(word: string): string {
  return /^[\w./:,+=@-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
