// Serial ports: of a board behind a cable, and of the Pico that runs in the page. They are used alike.

import { Refusal } from './engine';
import type { FromPico, ToPico } from './pico';

/** A port that bytes go in and out of. */
export interface Port {
  /** Opens it; `heard` gets what comes in, and `lost` is told once when it is gone, with the reason. */
  open(heard: (bytes: Uint8Array) => void, lost: (why: string) => void): Promise<void>;
  write(bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** What all boards speak at. */
const BAUD_RATE = 115_200;

/** Whether this browser has serial ports at all. */
export const hasSerial = () => 'serial' in navigator;

/** The port of a real board. */
export class Cable implements Port {
  private reader: ReadableStreamDefaultReader<Uint8Array> | null = null;
  private isClosing = false;

  private constructor(private readonly port: SerialPort) {}

  /** Lets the reader choose one. */
  static async ask(): Promise<Cable> {
    try {
      return new Cable(await navigator.serial.requestPort());
    } catch (error) {
      const isNone = error instanceof DOMException && error.name === 'NotFoundError';
      throw new Refusal(isNone ? 'No port was chosen.' : `The browser gives no port: ${words(error)}`);
    }
  }

  async open(heard: (bytes: Uint8Array) => void, lost: (why: string) => void): Promise<void> {
    try {
      await this.port.open({ baudRate: BAUD_RATE });
      // A board with USB of its own prints only to somebody who is ready.
      await this.port.setSignals?.({ dataTerminalReady: true, requestToSend: true }).catch(() => {});
    } catch (error) {
      throw new Refusal(`The port cannot be opened; another program may have it: ${words(error)}`);
    }
    void this.listen(heard).then((why) => {
      if (!this.isClosing) lost(why);
    });
  }

  async write(bytes: Uint8Array): Promise<void> {
    const writer = this.port.writable?.getWriter();
    if (writer === undefined) throw new Refusal('The board is gone.');
    try {
      await writer.write(bytes as Uint8Array<ArrayBuffer>);
    } finally {
      writer.releaseLock();
    }
  }

  async close(): Promise<void> {
    this.isClosing = true;
    await this.reader?.cancel().catch(() => {});
    await this.port.close().catch(() => {});
  }

  /** Reads until the port is gone; noise and lost bytes end a stream, and the next one goes on. */
  private async listen(heard: (bytes: Uint8Array) => void): Promise<string> {
    let why = 'The board is gone: plug it in, and connect again.';
    while (this.port.readable && !this.isClosing) {
      this.reader = this.port.readable.getReader();
      try {
        for (;;) {
          const { value, done } = await this.reader.read();
          if (done) break;
          heard(value);
        }
        return why;
      } catch (error) {
        why = `The board is gone (${words(error)}): plug it in, and connect again.`;
      } finally {
        this.reader.releaseLock();
      }
    }
    return why;
  }
}

/** The port of a Pico that runs in the page. */
export class Emulated implements Port {
  private worker: Worker | null = null;

  constructor(
    private readonly firmware: ArrayBuffer,
    private readonly model: { image: ArrayBuffer; at: number } | null,
  ) {}

  async open(heard: (bytes: Uint8Array) => void, lost: (why: string) => void): Promise<void> {
    const worker = new Worker('pico.js', { type: 'module' });
    worker.addEventListener('message', ({ data }: MessageEvent<FromPico>) => {
      if (data.kind === 'printed') heard(data.bytes);
      else lost(`The Pico has stopped: ${data.why}.`);
    });
    worker.addEventListener('error', () => lost('The Pico could not be started: reload the page.'));
    const { firmware, model } = this;
    this.worker = worker;
    this.post({ kind: 'boot', firmware, model: model?.image ?? null, at: model?.at ?? 0 });
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.post({ kind: 'typed', bytes });
  }

  async close(): Promise<void> {
    this.worker?.terminate();
    this.worker = null;
  }

  private post(message: ToPico): void {
    this.worker?.postMessage(message);
  }
}

function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
