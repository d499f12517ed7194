// A stand-in for the browser's serial ports: a cable that leads to a Pico, which is emulated.

import type { Page } from 'playwright-core';

/** What becomes of the cable. */
export interface Fate {
  /** Of so many bytes, in both directions, one is another one; 0 is none. */
  noise: number;
}

/** The cable, as tests find it in the window. */
interface Cable {
  pull(): void;
  plug(): void;
  silence(): void;
  typedBytes: number;
}

/** Lays the cable. The Pico keeps the model that it was flashed with, and runs until the page is left. */
export async function layCable(page: Page, fate: Fate = { noise: 0 }): Promise<void> {
  await page.evaluate(({ noise }) => {
    let count = 0;
    const noisy = (bytes: Uint8Array) =>
      bytes.map((byte) => {
        count += 1;
        return noise > 0 && count % noise === 0 ? byte ^ 4 : byte;
      });
    let inward: ReadableStreamDefaultController<Uint8Array> | null = null;
    const lead = async () => {
      let takenBytes = 0;
      let taken = () => {};
      const take = (bytes: number) => {
        takenBytes = bytes;
        taken();
      };
      const worker = new Worker('pico.js', { type: 'module' });
      const list = (await (await fetch('firmware/boards.json')).json()) as { bin: string }[];
      const firmware = await (await fetch(`firmware/${list[0]?.bin}`)).arrayBuffer();
      worker.addEventListener('message', ({ data }) => {
        if (data.kind === 'printed') inward?.enqueue(noisy(data.bytes));
        if (data.kind === 'taken') take(data.bytes);
      });
      worker.postMessage({ kind: 'boot', firmware, model: null, at: 0 });
      const port = {
        readable: null as ReadableStream<Uint8Array> | null,
        writable: null as WritableStream<Uint8Array> | null,
        getInfo: () => ({ usbVendorId: 0x2e8a, usbProductId: 0x000c }),
        open: async ({ baudRate }: { baudRate: number }) => {
          if (baudRate !== 115200) throw new Error(`not at ${baudRate}`);
          if (port.readable !== null || !isPlugged) throw new Error('Failed to open serial port.');
          port.readable = new ReadableStream({ start: (controller) => void (inward = controller) });
          port.writable = new WritableStream({
            write: async (bytes) => {
              if (!isPlugged) throw new Error('The device has been lost.');
              cable.typedBytes += bytes.length;
              worker.postMessage({ kind: 'typed', bytes: noisy(bytes) });
              while (isPlugged && takenBytes < cable.typedBytes) await new Promise<void>((go) => (taken = go));
            },
          });
        },
        setSignals: async () => {},
        close: async () => {
          [port.readable, port.writable, inward] = [null, null, null];
        },
      };
      let isPlugged = true;
      const cable: Cable = {
        pull: () => {
          const broken = inward;
          [isPlugged, port.readable, inward] = [false, null, null];
          broken?.error(new Error('The device has been lost.'));
          taken();
        },
        plug: () => (isPlugged = true),
        silence: () => (count = -Infinity),
        typedBytes: 0,
      };
      Object.assign(window, { cable });
      ports = [port];
      return port;
    };
    let ports: unknown[] = [];
    const serial = { requestPort: lead, getPorts: async () => ports };
    Object.defineProperty(navigator, 'serial', { value: serial, configurable: true });
  }, fate);
}

/** Lays a cable to a board that says this, in place of whatever is answered to an announced model. */
export async function layCableToABoardThatSays(page: Page, line: string): Promise<void> {
  await page.evaluate((line) => {
    const requestPort = async () => {
      let inward: ReadableStreamDefaultController<Uint8Array>;
      const writable = new WritableStream<Uint8Array>({
        write: (bytes) => {
          if (new TextDecoder().decode(bytes).includes('/load ')) {
            inward.enqueue(new TextEncoder().encode(`\x06\x1e# ${line}\n`));
          }
        },
      });
      const readable = new ReadableStream<Uint8Array>({ start: (controller) => void (inward = controller) });
      return { readable, writable, open: async () => {}, close: async () => {} };
    };
    Object.defineProperty(navigator, 'serial', { value: { requestPort }, configurable: true });
  }, line);
}

const cable = <T>(page: Page, use: (cable: Cable) => T): Promise<T> =>
  page.evaluate(`(${use})(window.cable)`) as Promise<T>;

/** Pulls the plug. */
export const pull = (page: Page) => cable(page, (cable) => cable.pull());

/** Plugs it in again. */
export const plug = (page: Page) => cable(page, (cable) => cable.plug());

/** Ends the noise. */
export const silence = (page: Page) => cable(page, (cable) => cable.silence());

/** Bytes that were typed. */
export const typedBytes = (page: Page) => cable(page, (cable) => cable.typedBytes);
