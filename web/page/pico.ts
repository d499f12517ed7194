// A Pico in the browser: a worker with rp2040js, the firmware's own file in its flash, and a model beside it.
// What is typed comes as messages, and what UART0 prints goes out as such. Time is virtual, 8 ns a cycle, and
// waits for the clock of this machine where it would run ahead of it.
//
// The emulator has no ROM and no second-stage boot loader, so the processor starts at the firmware's own
// vector table. It does not model a reset by the processor or the watchdog: a new chip takes over the
// memory. It reports an empty transmit FIFO as an interrupt that never ends: here it comes once, after bytes
// were sent, as on the chip. It does not know that register of the UART which says that DMA is off.

import { RP2040 } from 'rp2040js';

/** To the worker. */
export type ToPico =
  | { kind: 'boot'; firmware: ArrayBuffer; model: ArrayBuffer | null; at: number }
  | { kind: 'typed'; bytes: Uint8Array };

/** From the worker. */
export type FromPico = { kind: 'printed'; bytes: Uint8Array } | { kind: 'stopped'; why: string };

const FLASH = 0x10000000;
const VECTOR_TABLE = 0x10000100;

const NANOSECONDS_PER_CYCLE = 8;
const CYCLES_PER_UART_BYTE = Math.round((10 * 125e6) / 115200);
const CYCLES_PER_CHECK = 1_000;
/** How long the processor runs before messages are let in. */
const TURN_MS = 8;

const AIRCR = 0xd0c;
const SYSRESETREQ = 1 << 2;
const UARTDR = 0;
const UARTDMACR = 0x48;
const UART_TRANSMIT_INTERRUPT = 1 << 5;

/** What the emulator keeps to itself, and firmware needs completed. */
interface Inner {
  reason: number;
  alarm: { enable: boolean };
  onWatchdogTrigger: () => void;
  interruptStatus: number;
  interruptMask: number;
  irq: number;
  checkInterrupts: () => void;
  readUint32: (offset: number) => number;
  writeUint32: (offset: number, value: number) => void;
}

let typed: number[] = [];
let printed: number[] = [];
let isRestarting = false;
let cycles = 0;
let chip: RP2040;
/** When the next typed byte has its turn. */
let next = 0;
let begin = 0;

const watchdogOf = (rp2040: RP2040) => (rp2040.peripherals as Record<number, unknown>)[0x40058] as Inner;

/** Connects what is outside of the chip, and starts it. */
function wire(rp2040: RP2040): RP2040 {
  const silent = () => {};
  rp2040.logger = { debug: silent, info: silent, warn: silent, error: silent };
  rp2040.onBreak = (code) => {
    throw new Error(`the processor stopped at breakpoint ${code}`);
  };
  const watchdog = watchdogOf(rp2040);
  watchdog.onWatchdogTrigger = () => {
    isRestarting = true;
    // It would go off again at once, and for ever.
    watchdog.alarm.enable = false;
  };
  const ppb = (rp2040 as unknown as { ppb: Inner }).ppb;
  const writePpb = ppb.writeUint32.bind(ppb);
  ppb.writeUint32 = (offset, value) => {
    if (offset === AIRCR) isRestarting ||= (value & SYSRESETREQ) !== 0;
    else writePpb(offset, value);
  };
  completeUart(rp2040);
  rp2040.core.VTOR = VECTOR_TABLE;
  rp2040.core.reset();
  return rp2040;
}

/** Joins UART0, with what interrupt-driven firmware needs of it. */
function completeUart(rp2040: RP2040): void {
  const port = rp2040.uart[0]!;
  port.onByte = (byte) => printed.push(byte);
  const uart = port as unknown as Inner;
  const read = uart.readUint32.bind(uart);
  uart.readUint32 = (offset) => (offset === UARTDMACR ? 0 : read(offset));
  uart.checkInterrupts = () => rp2040.setInterrupt(uart.irq, (uart.interruptStatus & uart.interruptMask) !== 0);
  const write = uart.writeUint32.bind(uart);
  uart.writeUint32 = (offset, value) => {
    if (offset === UARTDR) uart.interruptStatus |= UART_TRANSMIT_INTERRUPT;
    write(offset, value);
    if (offset === UARTDR) uart.checkInterrupts();
  };
}

/** The chip after a reset: memory and the watchdog's reason stay. */
function restarted(old: RP2040): RP2040 {
  const rp2040 = new RP2040();
  rp2040.flash.set(old.flash);
  rp2040.sram.set(old.sram);
  watchdogOf(rp2040).reason = watchdogOf(old).reason;
  return wire(rp2040);
}

/** Runs instructions until so many cycles have passed since the start of it all, or a reset. */
function runUntil(end: number): void {
  const { core, clock } = chip as unknown as {
    core: { waiting: boolean; executeInstruction(): number };
    clock: { nanosToNextAlarm: number; tick(nanoseconds: number): void };
  };
  while (cycles < end && !isRestarting) {
    if (core.waiting) {
      const idle = Math.max(1, Math.ceil(clock.nanosToNextAlarm / NANOSECONDS_PER_CYCLE));
      cycles += idle;
      clock.tick(idle * NANOSECONDS_PER_CYCLE);
    } else {
      const passed = core.executeInstruction();
      cycles += passed;
      clock.tick(passed * NANOSECONDS_PER_CYCLE);
    }
  }
}

/** Runs for a while, then lets messages in. */
function turn(): void {
  const start = performance.now();
  // A processor that only waits would otherwise let years pass in a second.
  const most = ((start - begin + TURN_MS) * 1e6) / NANOSECONDS_PER_CYCLE;
  try {
    while (cycles < most && performance.now() - start < TURN_MS) {
      runUntil(cycles + CYCLES_PER_CHECK);
      if (isRestarting) {
        isRestarting = false;
        chip = restarted(chip);
      }
      const uart = chip.uart[0]!;
      const [byte] = typed;
      if (byte !== undefined && cycles >= next && uart.enabled) {
        typed = typed.slice(1);
        uart.feedByte(byte);
        next = cycles + CYCLES_PER_UART_BYTE;
      }
    }
  } catch (error) {
    tell({ kind: 'stopped', why: error instanceof Error ? error.message : String(error) });
    return;
  }
  if (printed.length > 0) {
    tell({ kind: 'printed', bytes: Uint8Array.from(printed) });
    printed = [];
  }
  setTimeout(turn, cycles < most ? 0 : TURN_MS / 2);
}

function tell(message: FromPico): void {
  postMessage(message);
}

addEventListener('message', ({ data }: MessageEvent<ToPico>) => {
  if (data.kind === 'typed') {
    typed.push(...data.bytes);
    return;
  }
  const rp2040 = new RP2040();
  rp2040.flash.fill(0xff);
  rp2040.flash.set(new Uint8Array(data.firmware));
  if (data.model !== null) rp2040.flash.set(new Uint8Array(data.model), data.at - FLASH);
  chip = wire(rp2040);
  begin = performance.now();
  turn();
});
