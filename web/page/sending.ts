// A model on its way to a board. What to type, what the board's answers mean and when all is done is decided by
// the code of `inkling send`, see `web/src/sending.rs`; here lines go out and time passes.

import { type BoardModule, startBoardModule } from './console';
import { Refusal, output, put } from './engine';

/** How often the clock is looked at while the board says nothing. */
const TICK_MS = 50;

/** What `send_next` says. */
const TYPE = 1;
const DONE = 2;
const FAILED = 3;

const encoder = new TextEncoder();

/** How far a model is. */
export interface Progress {
  doing: string;
  bytes: number;
  of: number;
}

export class Sending {
  private readonly begin = performance.now();
  private readonly stopping = new AbortController();
  private wake = () => {};

  private constructor(private readonly exports: BoardModule) {}

  /** Begins with a model. Throws a `Refusal` about an image that is none. */
  static async begin(name: string, image: Uint8Array): Promise<Sending> {
    const exports = await startBoardModule();
    const named = encoder.encode(name);
    const both = new Uint8Array(named.length + image.length);
    both.set(named);
    both.set(image, named.length);
    put(exports, both);
    if (!exports.send(named.length)) throw new Refusal(output(exports));
    return new Sending(exports);
  }

  /** Takes note of what the board prints. */
  hear(bytes: Uint8Array): void {
    put(this.exports, bytes);
    this.exports.send_heard(this.now());
    this.wake();
  }

  /** The board was gone, and is there again. */
  reconnect(): void {
    this.exports.send_reconnected(this.now());
    this.wake();
  }

  /** Sends no more, for nobody wants it. */
  stop(): void {
    this.stopping.abort();
    this.wake();
  }

  /**
   * Sends until the board uses the model; answers with the sentence that says so. Throws a `Refusal` with the one
   * that says why it does not. What cannot be written, for the board is gone, is asked for again later.
   */
  async run(write: (bytes: Uint8Array) => Promise<void>, watch: (progress: Progress) => void): Promise<string> {
    const { exports, stopping } = this;
    const stopped = new Promise<void>((resolve) => stopping.signal.addEventListener('abort', () => resolve()));
    // A board that takes nothing must not keep it from being stopped.
    const type = (line: string) => Promise.race([write(encoder.encode(line)).catch(() => {}), stopped]);
    for (;;) {
      if (stopping.signal.aborted) {
        exports.send_stopped();
        const [line = '', sentence = ''] = output(exports).split('\0');
        await type(line);
        throw new Refusal(sentence);
      }
      const next = exports.send_next(this.now());
      const said = output(exports);
      if (next === DONE) return said;
      if (next === FAILED) throw new Refusal(said);
      watch(this.progress());
      if (next === TYPE) await type(said);
      else await this.news();
    }
  }

  private progress(): Progress {
    this.exports.send_progress();
    const [doing = '', bytes, of] = output(this.exports).split('\t');
    return { doing, bytes: Number(bytes), of: Number(of) };
  }

  /** Waits until the board says something, for a little while. */
  private news(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, TICK_MS);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  private now(): number {
    return Math.round(performance.now() - this.begin);
  }
}
