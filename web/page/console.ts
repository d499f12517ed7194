// What boards need of the code of the command line, as a module of WebAssembly of its own: what a board prints
// is taken apart, lines for it are checked, files for its drive are put together. See `web/src/board.rs`.

import { type Memory, Refusal, output, put } from './engine';

/** The exports of the module. */
export interface BoardModule extends Memory {
  hear(): void;
  status(): void;
  unplug(): void;
  check_line(): number;
  combine_uf2(firmwareBytes: number, family: number, address: number, bytes: number, takesModels: number): number;
  combine_hex(firmwareBytes: number, address: number, bytes: number, takesModels: number): number;
  combine_elf(firmwareBytes: number): number;
  send(nameBytes: number): number;
  send_heard(now: number): void;
  send_reconnected(now: number): void;
  send_next(now: number): number;
  send_progress(): void;
  send_stopped(): void;
}

const FILE = 'board.wasm';

/** A piece of what a board prints. */
export type Piece =
  | { kind: 'text'; text: string }
  /** A line of the board's own; those around the text of a passage are told apart, and those about a model that comes in. */
  | { kind: 'line'; line: string; is: 'start' | 'end' | 'load' | 'other' }
  | { kind: 'done' };

/** What is known of a board; what is not known is empty. */
export interface Known {
  board: string;
  model: string;
  seed: string;
  settings: string;
  isPaused: boolean;
}

const encoder = new TextEncoder();
const HEAD_BYTES = 5;

/** Lines that are told apart, by what begins their pieces. */
const LINES: Record<string, 'start' | 'end' | 'load'> = { S: 'start', E: 'end', M: 'load' };

/** A new instance of the module. */
export async function startBoardModule(): Promise<BoardModule> {
  const response = await fetch(FILE);
  if (!response.ok) throw new Refusal(`${FILE} cannot be loaded (${response.status}): reload the page`);
  const { instance } = await WebAssembly.instantiate(await response.arrayBuffer());
  return instance.exports as unknown as BoardModule;
}

/** Where models have their place in a board's flash. */
export interface Place {
  address: number;
  bytes: number;
  takesModels: boolean;
}

/** How a firmware and a model are put together. */
export type Way =
  | { made: 'uf2'; family: number; model: Place }
  | { made: 'hex'; model: Place }
  /** The firmware is a linked one, with the model in its midst. */
  | { made: 'hex'; model: null };

/** A file with a firmware and, at its place, a model. Throws a `Refusal`. */
export async function combine(firmware: Uint8Array, image: Uint8Array, way: Way): Promise<Uint8Array<ArrayBuffer>> {
  const exports = await startBoardModule();
  const both = new Uint8Array(firmware.length + image.length);
  both.set(firmware);
  both.set(image, firmware.length);
  put(exports, both);
  if (!together(exports, firmware.length, way)) throw new Refusal(output(exports));
  return new Uint8Array(exports.memory.buffer, exports.output(), exports.output_bytes()).slice();
}

function together(exports: BoardModule, firmwareBytes: number, way: Way): number {
  if (way.model === null) return exports.combine_elf(firmwareBytes);
  const { address, bytes, takesModels } = way.model;
  return way.made === 'uf2'
    ? exports.combine_uf2(firmwareBytes, way.family, address, bytes, Number(takesModels))
    : exports.combine_hex(firmwareBytes, address, bytes, Number(takesModels));
}

/** A board's end of a line. */
export class Parser {
  private decoder = new TextDecoder();

  private constructor(private readonly exports: BoardModule) {}

  static async start(): Promise<Parser> {
    return new Parser(await startBoardModule());
  }

  /** Another board may be there next. */
  reset(): void {
    this.exports.unplug();
    this.decoder = new TextDecoder();
  }

  hear(bytes: Uint8Array): Piece[] {
    put(this.exports, bytes);
    this.exports.hear();
    const at = this.exports.output();
    const view = new DataView(this.exports.memory.buffer, at, this.exports.output_bytes());
    const pieces: Piece[] = [];
    let begin = 0;
    while (begin + HEAD_BYTES <= view.byteLength) {
      const kind = String.fromCharCode(view.getUint8(begin));
      const length = view.getUint32(begin + 1, true);
      const piece = new Uint8Array(view.buffer, at + begin + HEAD_BYTES, length);
      begin += HEAD_BYTES + length;
      if (kind === 'T') pieces.push({ kind: 'text', text: this.decoder.decode(piece, { stream: true }) });
      else if (kind === 'D') pieces.push({ kind: 'done' });
      else pieces.push({ kind: 'line', line: new TextDecoder().decode(piece), is: LINES[kind] ?? 'other' });
    }
    return pieces;
  }

  known(): Known {
    this.exports.status();
    const [board = '', model = '', seed = '', settings = '', paused = ''] = output(this.exports).split('\t');
    return { board, model, seed, settings, isPaused: paused !== '' };
  }

  /** A line as it is sent. Throws a `Refusal` about one that no board takes. */
  typed(line: string): Uint8Array {
    put(this.exports, encoder.encode(line));
    const isTaken = this.exports.check_line();
    const said = output(this.exports);
    if (!isTaken) throw new Refusal(said);
    return encoder.encode(said);
  }
}
