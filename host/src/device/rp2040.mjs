// Boots an RP2040 firmware in rp2040js and joins one of its serial ports to a local socket.
//
//   node rp2040.mjs RP2040JS FIRMWARE.elf PORT uart|usb|stuck-uart|fickle-usb
//     [--beside FILE ADDRESS] [--operations FILE]
//
// RP2040JS is the emulator's folder, PORT a TCP port of this machine that somebody listens at. Beside the
// firmware, FILE lies at ADDRESS in flash. What the firmware does to the flash is written to the other FILE, a
// line each: the cycle, erase or program, the offset, and how many bytes or which ones in hexadecimal. A stuck
// UART sends nothing in the first seconds; at a fickle USB port somebody comes and goes many times before
// staying. What the firmware logs over RTT goes to standard output. Time is virtual: 8 ns a cycle, as fast as
// it goes.
//
// The emulator has no second-stage boot loader, so the processor starts at the firmware's own vector table.
// Of the ROM there is what writes to the flash: stubs that stop the processor, served here, where erasing sets
// all bits and programming clears some, as on the chip. The version that such a ROM tells is 0. It does not model a reset by the processor or the watchdog: a new chip takes over the
// memory. It reports an empty transmit FIFO as an interrupt that never ends: here it comes once, after
// bytes were sent, as on the chip. It does not know that register of the UART which says that DMA is off, and
// does no more than tell of the instruction SEV, by which tasks wake the executor that waits for events. It
// goes on where the chip faults, at addresses with nothing behind them: here it faults.

import { appendFileSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [library, firmware, port, line, ...options] = process.argv.slice(2);
const isUsb = line.endsWith('usb');
const { RP2040, USBCDC, createSetupPacket, DataDirection, SetupRecipient, SetupType } = await import(
  pathToFileURL(join(library, 'dist/esm/index.js')).href
);

const FLASH = 0x10000000;
const FLASH_END = 0x11000000;
const VECTOR_TABLE = 0x10000100;
const RAM = 0x20000000;

const NANOSECONDS_PER_CYCLE = 8;
const CYCLES_PER_UART_BYTE = Math.round((10 * 125e6) / 115200);
const CYCLES_PER_TURN = 1_000_000;
const CYCLES_PER_CHECK = 1_000;

const STUCK_CYCLES = 3 * 125e6;
const COMINGS_AND_GOINGS = 300;
const LONGEST_VISIT_CYCLES = 250_000;

const HARD_FAULT = 3;
// What the data sheet of the Pico's flash calls typical, in nanoseconds: a sector erased, a page programmed.
const SECTOR = 4096;
const SECTOR_ERASE = 45_000_000;
const PAGE = 256;
const PAGE_PROGRAM = 400_000;

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
const UART_TRANSMIT_INTERRUPT = 1 << 5;
const SET_CONTROL_LINE_STATE = 0x22;
const TERMINAL_READY = 0b11;
const EP0_OUT_BUFFER_CONTROL = 0x84;
const BUFFER_AVAILABLE = 1 << 10;

const elf = readElf(readFileSync(firmware));
const beside = options.indexOf('--beside');
if (beside >= 0) {
  elf.segments.push({ address: Number(options[beside + 2]), bytes: readFileSync(options[beside + 1]) });
}
const operations = options.includes('--operations') ? options[options.indexOf('--operations') + 1] : null;
const socket = connect(Number(port), '127.0.0.1');
socket.setNoDelay(true);
socket.on('error', () => process.exit(0));
socket.on('close', () => process.exit(0));

/** Bytes that were typed and not taken yet. */
let typed = [];
socket.on('data', (bytes) => {
  for (const byte of bytes) typed.push(byte);
});

/** Bytes that were printed in this turn. */
let printed = [];
let isRestarting = false;
/** The address of the instruction that is being executed. */
let instruction = 0;
/** Whether a fault is being taken: what cannot be put on the stack then is lost. */
let isFaulting = false;
const BUS_FAULT = new Error('bus fault');
/** Cycles since power-up. */
let cyclesNow = 0;
let chip = power();
turn();

/** The loadable segments and the address of the RTT control block. */
function readElf(file) {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const half = (at) => view.getUint16(at, true);
  const word = (at) => view.getUint32(at, true);
  const table = (start, size, count) => Array.from({ length: count }, (_, index) => start + index * size);
  const segments = table(word(28), half(42), half(44))
    .filter((at) => word(at) === 1 && word(at + 16) > 0)
    .map((at) => ({ address: word(at + 12), bytes: file.subarray(word(at + 4), word(at + 4) + word(at + 16)) }));
  const sections = table(word(32), half(46), half(48));
  const symbols = sections.find((at) => word(at + 4) === 2);
  let rtt = null;
  if (symbols !== undefined) {
    const names = word(sections[word(symbols + 24)] + 16);
    const name = Buffer.from('_SEGGER_RTT\0');
    for (const at of table(word(symbols + 16), 16, word(symbols + 20) / 16)) {
      const start = names + word(at);
      if (name.equals(file.subarray(start, start + name.length))) rtt = word(at + 4);
    }
  }
  return { segments, rtt };
}

/** A chip with the firmware in its flash. */
function power() {
  const rp2040 = new RP2040();
  for (const { address, bytes } of elf.segments) {
    if (address >= FLASH && address + bytes.length <= FLASH_END) rp2040.flash.set(bytes, address - FLASH);
  }
  return wire(rp2040);
}

/** The chip after a reset: memory and the watchdog's reason stay. */
function restarted(old) {
  const rp2040 = new RP2040();
  rp2040.flash.set(old.rp2040.flash);
  rp2040.sram.set(old.rp2040.sram);
  watchdogOf(rp2040).reason = watchdogOf(old.rp2040).reason;
  return wire(rp2040);
}

function watchdogOf(rp2040) {
  return rp2040.peripherals[0x40058];
}

/** Connects everything that is outside of the chip, and starts it. */
function wire(rp2040) {
  const silent = () => {};
  const complain = (part, message) => process.stderr.write(`${part}: ${message}\n`);
  const wakeByEvent = (part, message) => {
    if (message === 'SEV') rp2040.core.eventRegistered = true;
  };
  const faultAtNothing = (part, message) => {
    if (!isFaulting && /^(Read from invalid memory|Write to undefined) address/.test(message)) throw BUS_FAULT;
  };
  rp2040.logger = { debug: silent, info: wakeByEvent, warn: faultAtNothing, error: complain };
  const serve = installRom(rp2040);
  rp2040.onBreak = (code) => {
    if (serve(code)) return;
    complain('rp2040js', `breakpoint ${code} at ${rp2040.core.PC.toString(16)}`);
    process.exit(1);
  };
  const watchdog = watchdogOf(rp2040);
  watchdog.onWatchdogTrigger = () => {
    isRestarting = true;
    // It would go off again at once, and for ever.
    watchdog.alarm.enable = false;
  };
  const { ppb } = rp2040;
  const writePpb = ppb.writeUint32.bind(ppb);
  ppb.writeUint32 = (offset, value) => {
    if (offset === AIRCR) isRestarting ||= (value & SYSRESETREQ) !== 0;
    else writePpb(offset, value);
  };
  const feed = isUsb ? joinUsb(rp2040) : joinUart(rp2040);
  completeUart(rp2040);
  rp2040.core.VTOR = VECTOR_TABLE;
  rp2040.core.reset();
  return { rp2040, feed };
}

/** Puts stubs where the ROM would be; answers with what serves the one of a number, if there is one. */
function installRom(rp2040) {
  const { registers } = rp2040.core;
  const pass = (nanoseconds) => {
    cyclesNow += nanoseconds / NANOSECONDS_PER_CYCLE;
    rp2040.clock.tick(nanoseconds);
  };
  const log = (what) => {
    if (operations !== null) appendFileSync(operations, `${Math.round(cyclesNow)} ${what}\n`);
  };
  const routines = {
    IF: () => {},
    EX: () => {},
    FC: () => {},
    CX: () => {},
    C4: ([to, from, bytes]) => {
      for (let at = 0; at < bytes; at += 4) rp2040.writeUint32(to + at, rp2040.readUint32(from + at));
    },
    RE: ([offset, bytes]) => {
      log(`erase ${offset} ${bytes}`);
      rp2040.flash.fill(0xff, offset, offset + bytes);
      pass((bytes / SECTOR) * SECTOR_ERASE);
    },
    RP: ([offset, from, bytes]) => {
      const data = Uint8Array.from({ length: bytes }, (_, at) => rp2040.readUint8(from + at));
      log(`program ${offset} ${Buffer.from(data).toString('hex')}`);
      data.forEach((byte, at) => (rp2040.flash[offset + at] &= byte));
      pass((bytes / PAGE) * PAGE_PROGRAM);
    },
  };
  const names = Object.keys(routines);
  const stub = (number) => ROM_STUBS + 4 * number;
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
    if (number === names.length) {
      const name = String.fromCharCode(registers[1] & 0xff, (registers[1] >> 8) & 0xff);
      if (!names.includes(name)) return false;
      registers[0] = stub(names.indexOf(name)) | 1;
    } else if (number < names.length) {
      routines[names[number]](Array.from(registers.slice(0, 3), (value) => value >>> 0));
    } else {
      return false;
    }
    return true;
  };
}

/** Prints what UART0 sends; answers with what gives it the next typed byte when its time has come. */
function joinUart(rp2040) {
  const uart = rp2040.uart[0];
  uart.onByte = (byte) => printed.push(byte);
  let next = 0;
  let isStuck = line === 'stuck-uart';
  return (cycles) => {
    if (isStuck && !isUartStuck()) {
      isStuck = false;
      uart.interruptStatus |= UART_TRANSMIT_INTERRUPT;
      uart.checkInterrupts();
    }
    if (typed.length > 0 && cycles >= next && uart.enabled) {
      uart.feedByte(typed.shift());
      next = cycles + CYCLES_PER_UART_BYTE;
    }
  };
}

/** Whether nothing leaves the UART yet. */
function isUartStuck() {
  return line === 'stuck-uart' && cyclesNow < STUCK_CYCLES;
}

/** Gives UART0 what interrupt-driven firmware needs of it. */
function completeUart(rp2040) {
  const uart = rp2040.uart[0];
  const read = uart.readUint32.bind(uart);
  uart.readUint32 = (offset) => {
    if (offset === UARTDMACR) return 0;
    return offset === UARTFR && isUartStuck() ? read(offset) | UARTFR_TRANSMIT_FULL : read(offset);
  };
  uart.checkInterrupts = () =>
    rp2040.setInterrupt(uart.irq, (uart.interruptStatus & uart.interruptMask) !== 0);
  const write = uart.writeUint32.bind(uart);
  uart.writeUint32 = (offset, value) => {
    if (offset === UARTDR) uart.interruptStatus |= UART_TRANSMIT_INTERRUPT;
    write(offset, value);
    if (offset === UARTDR) uart.checkInterrupts();
  };
}

/** Is a PC with a terminal at the USB port; answers with what sends typed bytes when they are asked for. */
function joinUsb(rp2040) {
  const usb = rp2040.usbCtrl;
  const serial = new USBCDC(usb);
  serial.onSerialData = (bytes) => {
    for (const byte of bytes) printed.push(byte);
  };
  // The library's own request is not addressed to an interface, as the class wants it.
  const sayWhoIsThere = (lines) => {
    usb.sendSetupPacket(
      createSetupPacket({
        dataDirection: DataDirection.HostToDevice,
        type: SetupType.Class,
        recipient: SetupRecipient.Interface,
        bRequest: SET_CONTROL_LINE_STATE,
        wValue: lines,
        wIndex: 0,
        wLength: 0,
      }),
    );
  };
  serial.cdcSetControlLineState = () => {
    serial.initialized = true;
    sayWhoIsThere(TERMINAL_READY);
  };
  let changes = line === 'fickle-usb' ? COMINGS_AND_GOINGS : 0;
  let change = 0;
  let noise = 1;
  const comeOrGo = (cycles) => {
    if (!serial.initialized || changes === 0 || cycles < change) return;
    noise = (Math.imul(noise, 1103515245) + 12345) >>> 0;
    change = cycles + (noise % LONGEST_VISIT_CYCLES);
    changes -= 1;
    sayWhoIsThere(changes % 2 === 0 ? TERMINAL_READY : 0);
  };
  // A buffer belongs to the controller until something has arrived in it; the emulator gives it back at
  // once, and the firmware would take that for data.
  const setAvailable = (endpoint, isAvailable) => {
    const at = EP0_OUT_BUFFER_CONTROL + endpoint * 8;
    const control = rp2040.usbDPRAMView.getUint32(at, true);
    const bit = isAvailable ? BUFFER_AVAILABLE : 0;
    rp2040.usbDPRAMView.setUint32(at, (control & ~BUFFER_AVAILABLE) | bit, true);
  };
  let room = 0;
  usb.onEndpointRead = (endpoint, size) => {
    if (endpoint !== serial.outEndpoint) return;
    room = size;
    setAvailable(endpoint, true);
  };
  const finishRead = usb.finishRead.bind(usb);
  usb.finishRead = (endpoint, bytes) => {
    setAvailable(endpoint, false);
    finishRead(endpoint, bytes);
  };
  return (cycles) => {
    comeOrGo(cycles);
    if (room > 0 && typed.length > 0) {
      const bytes = Uint8Array.from(typed.splice(0, room));
      room = 0;
      usb.endpointReadDone(serial.outEndpoint, bytes);
    }
  };
}

/** Runs for a while, then lets the socket have its turn. */
function turn() {
  const end = cyclesNow + CYCLES_PER_TURN;
  while (cyclesNow < end) {
    runUntil(cyclesNow + CYCLES_PER_CHECK);
    if (isRestarting) {
      isRestarting = false;
      chip = restarted(chip);
    }
    chip.feed(cyclesNow);
  }
  if (elf.rtt !== null) drainLog(chip.rp2040);
  if (printed.length > 0) {
    socket.write(Uint8Array.from(printed));
    printed = [];
  }
  setImmediate(turn);
}

/** Runs instructions until so many cycles have passed since the start of it all, or a reset. */
function runUntil(end) {
  while (cyclesNow < end && !isRestarting) {
    try {
      runWithoutFaultUntil(end);
    } catch (error) {
      if (error !== BUS_FAULT) throw error;
      takeFault(chip.rp2040.core);
    }
  }
}

/** Lets the processor take the fault of an instruction. */
function takeFault(core) {
  if (core.IPSR === HARD_FAULT) {
    process.stderr.write(`the processor locks up at ${instruction.toString(16)}\n`);
    process.exit(1);
  }
  cyclesNow += 1;
  core.PC = instruction;
  isFaulting = true;
  core.exceptionEntry(HARD_FAULT);
  isFaulting = false;
}

function runWithoutFaultUntil(end) {
  const { core, clock } = chip.rp2040;
  while (cyclesNow < end && !isRestarting) {
    if (core.waiting) {
      const idle = Math.max(1, Math.ceil(clock.nanosToNextAlarm / NANOSECONDS_PER_CYCLE));
      cyclesNow += idle;
      clock.tick(idle * NANOSECONDS_PER_CYCLE);
    } else {
      instruction = core.PC;
      const cycles = core.executeInstruction();
      cyclesNow += cycles;
      clock.tick(cycles * NANOSECONDS_PER_CYCLE);
    }
  }
}

/** Passes on what the firmware has put into its first RTT channel. */
function drainLog({ sramView, sram }) {
  const block = elf.rtt - RAM;
  if (Buffer.from(sram.subarray(block, block + 10)).toString('latin1') !== 'SEGGER RTT') return;
  const word = (at) => sramView.getUint32(block + at, true);
  const [start, size, write, read] = [word(28) - RAM, word(32), word(36), word(40)];
  if (write === read) return;
  const log = (from, to) => process.stdout.write(Uint8Array.from(sram.subarray(start + from, start + to)));
  if (write < read) log(read, size);
  log(write < read ? 0 : read, write);
  sramView.setUint32(block + 40, write, true);
}
