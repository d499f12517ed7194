// Serial ports: of a board behind a cable, and of the Pico that runs in the page. They are used alike.

import { Refusal } from './engine';
import type { FromPico, ToPico } from './pico';

/** A port that bytes go in and out of. */
export interface Port {
  /** Opens it; `heard` gets what comes in, and `lost` is told once when it is gone, with the reason. */
  open(heard: (bytes: Uint8Array) => void, lost: (why: string) => void): Promise<void>;
  write(bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
  /** Where a port that is gone can come back: waits until it is open again, or is closed. */
  reopen?(): Promise<void>;
}

/** What all boards speak at. */
const BAUD_RATE = 115_200;

/** What is said of a board that is gone. */
export const GONE = 'The board is gone: plug it in, and connect again.';

/** How often a board that is gone is looked for. */
const LOOK_MS = 300;

/** Whether this browser has serial ports at all. */
export const hasSerial = () => 'serial' in navigator;

/** The port of a real board. */
export class Cable implements Port {
  private reader: ReadableStreamDefaultReader<Uint8Array> | null = null;
  /** It lets writes wait for those before them. */
  private writer: WritableStreamDefaultWriter<Uint8Array> | null = null;
  private isClosing = false;
  private heard: (bytes: Uint8Array) => void = () => {};
  private lost: (why: string) => void = () => {};

  private constructor(private port: SerialPort) {}

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
    [this.heard, this.lost] = [heard, lost];
    try {
      await this.begin();
    } catch (error) {
      throw new Refusal(`The port cannot be opened; another program may have it: ${words(error)}`);
    }
  }

  async reopen(): Promise<void> {
    this.release();
    await this.port.close().catch(() => {});
    while (!this.isClosing) {
      // The reader need not choose it again; but it may be another object now.
      const ports = await navigator.serial.getPorts();
      const { usbVendorId, usbProductId } = this.port.getInfo();
      const again = ports.find((port) => {
        const info = port.getInfo();
        const isAlike = info.usbVendorId === usbVendorId && info.usbProductId === usbProductId;
        return port === this.port || (isAlike && usbVendorId !== undefined);
      });
      if (again !== undefined) {
        this.port = again;
        try {
          return await this.begin();
        } catch {
          // It is not there yet, or not ready.
        }
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  /** Opens the port, and listens. */
  private async begin(): Promise<void> {
    await this.port.open({ baudRate: BAUD_RATE });
    // A board with USB of its own prints only to somebody who is ready.
    await this.port.setSignals?.({ dataTerminalReady: true, requestToSend: true }).catch(() => {});
    void this.listen(this.heard).then((why) => {
      if (!this.isClosing) this.lost(why);
    });
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.writer ??= this.port.writable?.getWriter() ?? null;
    const { writer } = this;
    if (writer === null) throw new Refusal('The board is gone.');
    try {
      await writer.write(bytes);
    } catch (error) {
      // A stream that has failed takes nothing more; there may be another one.
      if (writer === this.writer) this.release();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.isClosing = true;
    await this.reader?.cancel().catch(() => {});
    await this.writer?.abort().catch(() => {});
    this.release();
    await this.port.close().catch(() => {});
  }

  private release(): void {
    this.writer?.releaseLock();
    this.writer = null;
  }

  /** Reads until the port is gone; noise and lost bytes end a stream, and the next one goes on. */
  private async listen(heard: (bytes: Uint8Array) => void): Promise<string> {
    let why = GONE;
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
  /** Bytes that were written. */
  private written = 0;
  /** Those who wait until so many of them have gone in. */
  private waiting: { bytes: number; go: () => void }[] = [];

  constructor(
    private readonly firmware: ArrayBuffer,
    private readonly model: { image: ArrayBuffer; at: number } | null,
  ) {}

  async open(heard: (bytes: Uint8Array) => void, lost: (why: string) => void): Promise<void> {
    const worker = new Worker('pico.js', { type: 'module' });
    worker.addEventListener('message', ({ data }: MessageEvent<FromPico>) => {
      if (data.kind === 'printed') heard(data.bytes);
      else if (data.kind === 'taken') this.take(data.bytes);
      else lost(`The Pico has stopped: ${data.why}.`);
    });
    worker.addEventListener('error', () => lost('The Pico could not be started: reload the page.'));
    const { firmware, model } = this;
    this.worker = worker;
    this.post({ kind: 'boot', firmware, model: model?.image ?? null, at: model?.at ?? 0 });
  }

  /** It takes as long as the line does, and the emulator: whoever waits for an answer counts from then on. */
  async write(bytes: Uint8Array): Promise<void> {
    this.written += bytes.length;
    const { written } = this;
    this.post({ kind: 'typed', bytes });
    await new Promise<void>((go) => this.waiting.push({ bytes: written, go }));
  }

  async close(): Promise<void> {
    this.worker?.terminate();
    this.worker = null;
    this.take(Infinity);
  }

  private take(bytes: number): void {
    for (const one of this.waiting) if (one.bytes <= bytes) one.go();
    this.waiting = this.waiting.filter((one) => one.bytes > bytes);
  }

  private post(message: ToPico): void {
    this.worker?.postMessage(message);
  }
}

function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
