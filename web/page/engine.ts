// The engine as the page and its tests call it: an instance of the WebAssembly module with one model.
// What the functions do is said in `web/src/lib.rs`; here bytes go in and out.

/** What bytes go in and out by. */
export interface Memory {
  memory: WebAssembly.Memory;
  input(bytes: number): number;
  output(): number;
  output_bytes(): number;
}

/** The exports of the module. */
interface Exports extends Memory {
  choices(): number;
  choice_words(): number;
  open(): number;
  knows(): number;
  read_prompt?(): number;
  begin(): number;
  write(writer: number, characters: number, chosen: number): number;
  end(): void;
  checksum(): number;
  has_vectors(): number;
}

/** A model, as its image describes it. */
export interface Model {
  checksum: string;
  bytes: number;
  hidden: number;
  layers: number;
  symbols: number;
  format: number;
  name: string;
}

/** How characters are chosen, as it is typed; the engine reads it. */
export interface Settings {
  temperature: string;
  topK: string;
  topP: string;
  guard: string;
  seed: string;
}

/** What a text begins with, in characters that the model knows. */
export interface Prompt {
  text: string;
  /** What to know of what was left out, if anything was. */
  note: string;
}

/** A sentence for the reader. */
export class Refusal extends Error {}

/** Words that the engine gives about each character, see `writer.rs`. */
export const CHOICE_WORDS = 35;

/** A module of a few bytes that has one instruction on vectors. */
const VECTORS = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
]);

/** The file of the engine that suits this browser. */
export function engineFile(): string {
  return WebAssembly.validate(VECTORS) ? 'engine-vectors.wasm' : 'engine.wasm';
}

/** The file of the engine that reads prompts as the command line does. */
export const PROMPT_FILE = 'prompt.wasm';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** A model with its engine. */
export class Engine {
  private constructor(
    private readonly exports: Exports,
    readonly model: Model,
  ) {}

  /** Gives a compiled module a model. Throws a `Refusal` when it is none. */
  static async open(module: WebAssembly.Module, image: Uint8Array): Promise<Engine> {
    const instance = await WebAssembly.instantiate(module);
    const exports = instance.exports as unknown as Exports;
    put(exports, image);
    const isOpen = exports.open();
    const said = output(exports);
    if (!isOpen) throw new Refusal(said);
    const [checksum = '', bytes, hidden, layers, symbols, format, name = ''] = said.split('\t');
    const model: Model = {
      checksum,
      bytes: Number(bytes),
      hidden: Number(hidden),
      layers: Number(layers),
      symbols: Number(symbols),
      format: Number(format),
      name,
    };
    return new Engine(exports, model);
  }

  /** Whether the model knows a prompt as it is. */
  knows(prompt: string): boolean {
    this.put(prompt);
    return this.exports.knows() !== 0;
  }

  /** Reads a prompt as the command line does; only the module of `PROMPT_FILE` can. */
  readPrompt(prompt: string): Prompt {
    this.put(prompt);
    const isRead = this.exports.read_prompt?.() ?? 0;
    const said = output(this.exports);
    if (!isRead) throw new Refusal(said);
    const [text = '', note = ''] = said.split('\0');
    return { text, note };
  }

  /** Begins a text; answers with the number of its writer. Throws a `Refusal` about the settings. */
  begin(settings: Settings, prompt: string): number {
    const { temperature, topK, topP, guard, seed } = settings;
    this.put([temperature, topK, topP, guard, seed, prompt].join('\n'));
    const writer = this.exports.begin();
    if (writer < 0) throw new Refusal(output(this.exports));
    return writer;
  }

  /** Writes characters; with `chosen`, words about each of them come along. */
  write(writer: number, characters: number, chosen: boolean): { text: string; choices: Uint32Array } {
    this.exports.write(writer, characters, Number(chosen));
    const { memory, choices, choice_words } = this.exports;
    const words = new Uint32Array(memory.buffer, choices(), choice_words());
    return { text: output(this.exports), choices: words.slice() };
  }

  /** Ends all texts. */
  end(): void {
    this.exports.end();
  }

  /** The CRC-32 of a text, in hexadecimal digits. */
  checksum(text: string): string {
    this.put(text);
    return (this.exports.checksum() >>> 0).toString(16).padStart(8, '0');
  }

  /** Whether it computes with vectors. */
  get hasVectors(): boolean {
    return this.exports.has_vectors() !== 0;
  }

  private put(text: string): void {
    put(this.exports, encoder.encode(text));
  }
}

/** Puts bytes where the module takes them from. */
export function put(exports: Memory, bytes: Uint8Array): void {
  const at = exports.input(bytes.length);
  new Uint8Array(exports.memory.buffer, at, bytes.length).set(bytes);
}

/** What the module has to say. */
export function output(exports: Memory): string {
  const at = exports.output();
  const bytes = new Uint8Array(exports.memory.buffer, at, exports.output_bytes());
  return decoder.decode(bytes);
}
