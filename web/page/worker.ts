// Writes texts beside the page, so that this stays quick. It has one model at a time; a text is written in
// slices, and between two of them the worker listens whether another one is wanted.

import { Engine, PROMPT_FILE, type Prompt, Refusal, engineFile } from './engine';
import type { Answer, Request } from './messages';

/** How long a slice takes, about. */
const SLICE_MS = 12;

/** Characters that are written without looking at the time. */
const CHARACTERS = 8;

let engine: Engine | null = null;
let image: Uint8Array | null = null;
/** The same model in the module that reads prompts, once that was needed. */
let reader: Engine | null = null;
let run = 0;

const modules = new Map<string, Promise<WebAssembly.Module>>();

function module(file: string): Promise<WebAssembly.Module> {
  const known = modules.get(file);
  if (known !== undefined) return known;
  const compiled = compile(file);
  modules.set(file, compiled);
  // What could not be fetched may be there the next time.
  compiled.catch(() => modules.delete(file));
  return compiled;
}

async function compile(file: string): Promise<WebAssembly.Module> {
  const response = await fetch(file);
  if (!response.ok) throw new Refusal(`${file} cannot be loaded (${response.status}): reload the page`);
  return WebAssembly.compile(await response.arrayBuffer());
}

function answer(message: Answer): void {
  const transfer = message.kind === 'text' ? [message.choices.buffer] : [];
  postMessage(message, { transfer });
}

function refuse(run: number | null, error: unknown): void {
  const sentence = error instanceof Error ? error.message : String(error);
  answer({ kind: 'refused', run, sentence });
}

async function open(bytes: ArrayBuffer): Promise<void> {
  run += 1;
  const opened = await Engine.open(await module(engineFile()), new Uint8Array(bytes));
  [engine, image, reader] = [opened, new Uint8Array(bytes), null];
  answer({ kind: 'opened', model: opened.model, hasVectors: opened.hasVectors });
}

async function read(engine: Engine, prompt: string): Promise<Prompt> {
  if (engine.knows(prompt)) return { text: prompt, note: '' };
  const bytes = image ?? new Uint8Array();
  reader ??= await Engine.open(await module(PROMPT_FILE), bytes);
  return reader.readPrompt(prompt);
}

/** One text of several. */
interface Column {
  writer: number;
  text: string;
  left: number;
  milliseconds: number;
}

async function write(request: Request & { kind: 'write' }): Promise<void> {
  run = request.run;
  const writing = engine;
  if (writing === null) throw new Refusal('choose a model first');
  const prompt = await read(writing, request.prompt);
  if (run !== request.run || writing !== engine) return;
  writing.end();
  const columns: Column[] = request.settings.map((settings) => ({
    writer: writing.begin(settings, prompt.text),
    text: prompt.text,
    left: request.length,
    milliseconds: 0,
  }));
  answer({ kind: 'begun', run, prompt: prompt.text, note: prompt.note });
  while (columns.some((column) => column.left > 0)) {
    for (const [index, column] of columns.entries()) {
      if (column.left > 0) slice(writing, request, index, column);
    }
    await turn();
    if (run !== request.run || writing !== engine) return;
  }
}

function slice(engine: Engine, request: Request & { kind: 'write' }, index: number, column: Column): void {
  const start = performance.now();
  const texts: string[] = [];
  const all: Uint32Array[] = [];
  let passed = 0;
  while (column.left > 0 && passed < SLICE_MS) {
    const characters = Math.min(CHARACTERS, column.left);
    const { text, choices } = engine.write(column.writer, characters, true);
    texts.push(text);
    all.push(choices);
    column.left -= characters;
    passed = performance.now() - start;
  }
  column.milliseconds += passed;
  const text = texts.join('');
  column.text += text;
  const choices = new Uint32Array(all.reduce((words, part) => words + part.length, 0));
  let at = 0;
  for (const part of all) {
    choices.set(part, at);
    at += part.length;
  }
  answer({ kind: 'text', run: request.run, column: index, text, choices });
  if (column.left === 0) {
    answer({
      kind: 'ended',
      run: request.run,
      column: index,
      checksum: engine.checksum(column.text),
      characters: [...column.text].length,
      speed: (1000 * request.length) / Math.max(column.milliseconds, 0.001),
    });
  }
}

/** Lets messages in. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      channel.port1.close();
      resolve();
    };
    channel.port2.postMessage(null);
  });
}

addEventListener('message', ({ data }: MessageEvent<Request>) => {
  switch (data.kind) {
    case 'open':
      open(data.image).catch((error) => refuse(null, error));
      break;
    case 'write':
      write(data).catch((error) => refuse(data.run, error));
      break;
    case 'stop':
      run += 1;
      break;
  }
});
