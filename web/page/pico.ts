// A Pico in the browser: a worker with rp2040js, the firmware's own file in its flash, and a model beside it.
// What is typed comes as messages, and what UART0 prints goes out as such. Time is virtual, 8 ns a cycle, and
// waits for the clock of this machine where it would run ahead of it. The chip itself is that of the command
// line's emulator.

import { RP2040 } from 'rp2040js';

import { Chip, FLASH, NANOSECONDS_PER_CYCLE, joinUart } from '../../host/src/device/rp2040-chip.mjs';

/** To the worker. */
export type ToPico =
  | { kind: 'boot'; firmware: ArrayBuffer; model: ArrayBuffer | null; at: number }
  | { kind: 'typed'; bytes: Uint8Array };

/** From the worker. */
export type FromPico =
  | { kind: 'printed'; bytes: Uint8Array }
  /** So many bytes of all that were typed have gone in. */
  | { kind: 'taken'; bytes: number }
  | { kind: 'stopped'; why: string };

/** Cycles between two looks at the clock. */
const CYCLES_PER_CHECK = 1_000;
/** How long the processor runs before messages are let in. */
const TURN_MS = 8;

const typed: number[] = [];
/** Bytes that came to be typed, and how many of them have gone in. */
let received = 0;
let taken = 0;
let printed: number[] = [];
let chip: Chip;
let begin = 0;

/** Runs for a while, then lets messages in. */
function turn(): void {
  const start = performance.now();
  // A processor that only waits would otherwise let years pass in a second.
  const most = ((start - begin + TURN_MS) * 1e6) / NANOSECONDS_PER_CYCLE;
  try {
    while (chip.cycles < most && performance.now() - start < TURN_MS) chip.run(chip.cycles + CYCLES_PER_CHECK);
  } catch (error) {
    tell({ kind: 'stopped', why: error instanceof Error ? error.message : String(error) });
    return;
  }
  if (printed.length > 0) {
    tell({ kind: 'printed', bytes: Uint8Array.from(printed) });
    printed = [];
  }
  if (taken < received - typed.length) {
    taken = received - typed.length;
    tell({ kind: 'taken', bytes: taken });
  }
  setTimeout(turn, chip.cycles < most ? 0 : TURN_MS / 2);
}

function tell(message: FromPico): void {
  postMessage(message);
}

addEventListener('message', ({ data }: MessageEvent<ToPico>) => {
  if (data.kind === 'typed') {
    typed.push(...data.bytes);
    received += data.bytes.length;
    return;
  }
  const parts = [{ address: FLASH, bytes: new Uint8Array(data.firmware) }];
  if (data.model !== null) parts.push({ address: data.at, bytes: new Uint8Array(data.model) });
  chip = new Chip(RP2040, parts, { join: (rp2040) => joinUart(rp2040, typed, (byte) => printed.push(byte)) });
  begin = performance.now();
  turn();
});
