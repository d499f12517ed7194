// The chip of a Pico as Inkling's firmware needs it, out of rp2040js: for the bridge beside this file, which
// node runs, and for the page. What is outside of the chip is theirs: serial ports, and the clock on the wall.
//
// The emulator has no second-stage boot loader, so the processor starts at the firmware's own vector table.
// Of the ROM there is what writes to the flash: stubs that stop the processor, served here, where erasing sets
// all bits and programming clears some, as on the chip. The version that such a ROM tells is 0.
// It does not model a reset by the processor or the watchdog: a new chip takes over the memory.
// It reports an empty transmit FIFO as an interrupt that never ends: here it comes once, after bytes were
// sent, as on the chip. It does not know that register of the UART which says that DMA is off, and does no
// more than tell of the instruction SEV, by which tasks wake the executor that waits for events. It goes on
// where the chip faults, at addresses with nothing behind them: here it faults.

// Fields that the library keeps to itself are needed too.
/** @typedef {any} RP2040 */

/**
 * What a chip is joined to.
 * @typedef {object} Outside
 * @property {(rp2040: RP2040) => (cycles: number) => void} join Joins the ports of a chip; answers with what
 *   gives it, now and then, what was typed.
 * @property {() => boolean} [isUartStuck] Whether nothing leaves the UART.
 * @property {(operation: string) => void} [tell] Is told of each operation on the flash.
 * @property {(part: string, message: string) => void} [complain] Is told what the emulator finds wrong.
 */

export const NANOSECONDS_PER_CYCLE = 8;
export const FLASH = 0x10000000;
export const FLASH_END = 0x11000000;
export const UART_TRANSMIT_INTERRUPT = 1 << 5;

const VECTOR_TABLE = 0x10000100;
const CYCLES_PER_CHECK = 1_000;
const CYCLES_PER_UART_BYTE = Math.round((10 * 125e6) / 115200);

const HARD_FAULT = 3;
const BUS_FAULT = new Error('bus fault');

// What the data sheet of the Pico's flash calls typical, in nanoseconds: a sector erased, a page programmed.
const SECTOR = 4096;
const SECTOR_ERASE = 45_000_000;
const PAGE = 256;
const PAGE_PROGRAM = 400_000;

const WATCHDOG = 0x40058;
const XIP_CTRL = 0x14000;
const SSI = 0x18000;
const ROM_TABLE = 0x14;
const ROM_LOOKUP = 0x18;
const ROM_STUBS = 0x200;
const BREAKPOINT_AND_RETURN = 0x4770be00;

const AIRCR = 0xd0c;
const SYSRESETREQ = 1 << 2;
const UARTDR = 0;
const UARTFR = 0x18;
const UARTFR_TRANSMIT_FULL = 1 << 5;
const UARTDMACR = 0x48;

/** A chip, over all its restarts. */
export class Chip {
  /** Cycles since power-up. */
  cycles = 0;
  /** The one that runs now. @type {RP2040} */
  rp2040;

  /** @type {new () => RP2040} */
  #Model;
  /** @type {Outside} */
  #outside;
  /** @type {(cycles: number) => void} */
  #feed = () => {};
  #isRestarting = false;
  /** The address of the instruction that is being executed. */
  #instruction = 0;
  /** Whether a fault is being taken: what cannot be put on the stack then is lost. */
  #isFaulting = false;

  /**
   * A chip with this in its flash.
   * @param {new () => RP2040} Model The emulator's class.
   * @param {{ address: number; bytes: Uint8Array }[]} parts
   * @param {Outside} outside
   */
  constructor(Model, parts, outside) {
    this.#Model = Model;
    this.#outside = outside;
    this.rp2040 = new Model();
    for (const { address, bytes } of parts) {
      if (address >= FLASH && address + bytes.length <= FLASH_END) this.rp2040.flash.set(bytes, address - FLASH);
    }
    this.#wire();
  }

  /**
   * Runs until so many cycles have passed since power-up.
   * @param {number} end
   */
  run(end) {
    while (this.cycles < end) {
      this.#runUntil(Math.min(end, this.cycles + CYCLES_PER_CHECK));
      if (this.#isRestarting) this.#restart();
      this.#feed(this.cycles);
    }
  }

  /** A new chip takes the memory over, and the watchdog's reason. */
  #restart() {
    const before = this.rp2040;
    this.#isRestarting = false;
    this.rp2040 = new this.#Model();
    this.rp2040.flash.set(before.flash);
    this.rp2040.sram.set(before.sram);
    this.rp2040.peripherals[WATCHDOG].reason = before.peripherals[WATCHDOG].reason;
    this.#wire();
  }

  /** Connects everything that is outside of the processor, and starts it. */
  #wire() {
    const { rp2040 } = this;
    const { core, ppb } = rp2040;
    const silent = () => {};
    rp2040.logger = {
      debug: silent,
      info: (/** @type {string} */ _, /** @type {string} */ message) => {
        if (message === 'SEV') core.eventRegistered = true;
      },
      warn: (/** @type {string} */ _, /** @type {string} */ message) => {
        const isNothing = /^(Read from invalid memory|Write to undefined) address/.test(message);
        if (isNothing && !this.#isFaulting) throw BUS_FAULT;
      },
      error: this.#outside.complain ?? silent,
    };
    const serve = this.#installRom();
    rp2040.onBreak = (/** @type {number} */ code) => {
      if (!serve(code)) throw new Error(`the processor stops at breakpoint ${code}, at ${core.PC.toString(16)}`);
    };
    const watchdog = rp2040.peripherals[WATCHDOG];
    watchdog.onWatchdogTrigger = () => {
      this.#isRestarting = true;
      // It would go off again at once, and for ever.
      watchdog.alarm.enable = false;
    };
    const writePpb = ppb.writeUint32.bind(ppb);
    ppb.writeUint32 = (/** @type {number} */ offset, /** @type {number} */ value) => {
      if (offset === AIRCR) this.#isRestarting ||= (value & SYSRESETREQ) !== 0;
      else writePpb(offset, value);
    };
    this.#feed = this.#outside.join(rp2040);
    this.#completeUart();
    core.VTOR = VECTOR_TABLE;
    core.reset();
  }

  /**
   * Puts stubs where the ROM would be; answers with what serves the one of a number, if there is one.
   * @returns {(number: number) => boolean}
   */
  #installRom() {
    const { rp2040 } = this;
    const { registers } = rp2040.core;
    const pass = (/** @type {number} */ nanoseconds) => {
      this.cycles += nanoseconds / NANOSECONDS_PER_CYCLE;
      rp2040.clock.tick(nanoseconds);
    };
    const { tell } = this.#outside;
    const hex = (/** @type {Uint8Array} */ data) => Array.from(data, (byte) => byte.toString(16).padStart(2, '0')).join('');
    /** @type {Record<string, (...numbers: number[]) => void>} */
    const routines = {
      IF: () => {},
      EX: () => {},
      FC: () => {},
      CX: () => {},
      C4: (to = 0, from = 0, bytes = 0) => {
        for (let at = 0; at < bytes; at += 4) rp2040.writeUint32(to + at, rp2040.readUint32(from + at));
      },
      RE: (offset = 0, bytes = 0) => {
        tell?.(`erase ${offset} ${bytes}`);
        rp2040.flash.fill(0xff, offset, offset + bytes);
        pass((bytes / SECTOR) * SECTOR_ERASE);
      },
      RP: (offset = 0, from = 0, bytes = 0) => {
        const data = Uint8Array.from({ length: bytes }, (_, at) => rp2040.readUint8(from + at));
        tell?.(`program ${offset} ${hex(data)}`);
        data.forEach((byte, at) => (rp2040.flash[offset + at] &= byte));
        pass((bytes / PAGE) * PAGE_PROGRAM);
      },
    };
    const names = Object.keys(routines);
    const stub = (/** @type {number} */ number) => ROM_STUBS + 4 * number;
    for (let number = 0; number <= names.length; number++) {
      rp2040.bootrom[stub(number) / 4] = BREAKPOINT_AND_RETURN | number;
    }
    rp2040.bootrom[ROM_TABLE / 4] = ROM_STUBS;
    rp2040.bootrom[ROM_LOOKUP / 4] = stub(names.length) | 1;
    // Nothing streams from the flash.
    rp2040.peripherals[XIP_CTRL] = Object.assign(Object.create(rp2040.peripherals[SSI]), {
      readUint32: () => 0,
      writeUint32: () => {},
    });
    return (number) => {
      const [first, second, third] = Array.from(registers.slice(0, 3), (value) => Number(value) >>> 0);
      if (number === names.length) {
        const name = String.fromCharCode(registers[1] & 0xff, (registers[1] >> 8) & 0xff);
        if (!names.includes(name)) return false;
        registers[0] = stub(names.indexOf(name)) | 1;
        return true;
      }
      const routine = routines[names[number] ?? ''];
      routine?.(first ?? 0, second ?? 0, third ?? 0);
      return routine !== undefined;
    };
  }

  /** Gives UART0 what interrupt-driven firmware needs of it. */
  #completeUart() {
    const { rp2040 } = this;
    const isStuck = this.#outside.isUartStuck ?? (() => false);
    const uart = rp2040.uart[0];
    const read = uart.readUint32.bind(uart);
    uart.readUint32 = (/** @type {number} */ offset) => {
      if (offset === UARTDMACR) return 0;
      return offset === UARTFR && isStuck() ? read(offset) | UARTFR_TRANSMIT_FULL : read(offset);
    };
    uart.checkInterrupts = () => rp2040.setInterrupt(uart.irq, (uart.interruptStatus & uart.interruptMask) !== 0);
    const write = uart.writeUint32.bind(uart);
    uart.writeUint32 = (/** @type {number} */ offset, /** @type {number} */ value) => {
      if (offset === UARTDR) uart.interruptStatus |= UART_TRANSMIT_INTERRUPT;
      write(offset, value);
      if (offset === UARTDR) uart.checkInterrupts();
    };
  }

  /**
   * Runs instructions until so many cycles have passed, or a reset.
   * @param {number} end
   */
  #runUntil(end) {
    while (this.cycles < end && !this.#isRestarting) {
      try {
        this.#runWithoutFault(end);
      } catch (error) {
        if (error !== BUS_FAULT) throw error;
        this.#takeFault();
      }
    }
  }

  /** @param {number} end */
  #runWithoutFault(end) {
    const { core, clock } = this.rp2040;
    while (this.cycles < end && !this.#isRestarting) {
      if (core.waiting) {
        const idle = Math.max(1, Math.ceil(clock.nanosToNextAlarm / NANOSECONDS_PER_CYCLE));
        this.cycles += idle;
        clock.tick(idle * NANOSECONDS_PER_CYCLE);
      } else {
        this.#instruction = core.PC;
        const passed = core.executeInstruction();
        this.cycles += passed;
        clock.tick(passed * NANOSECONDS_PER_CYCLE);
      }
    }
  }

  /** Lets the processor take the fault of an instruction. */
  #takeFault() {
    const { core } = this.rp2040;
    if (core.IPSR === HARD_FAULT) throw new Error(`the processor locks up at ${this.#instruction.toString(16)}`);
    this.cycles += 1;
    core.PC = this.#instruction;
    this.#isFaulting = true;
    core.exceptionEntry(HARD_FAULT);
    this.#isFaulting = false;
  }
}

/**
 * Joins UART0: what it sends goes to `print`, and what was typed is fed to it as fast as its line is.
 * @param {RP2040} rp2040
 * @param {number[]} typed Bytes that were typed and not taken yet.
 * @param {(byte: number) => void} print
 * @returns {(cycles: number) => void}
 */
export function joinUart(rp2040, typed, print) {
  const uart = rp2040.uart[0];
  uart.onByte = print;
  let next = 0;
  return (cycles) => {
    const byte = cycles >= next && uart.enabled ? typed.shift() : undefined;
    if (byte === undefined) return;
    uart.feedByte(byte);
    next = cycles + CYCLES_PER_UART_BYTE;
  };
}
