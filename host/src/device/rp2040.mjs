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
// it goes. The chip itself is in rp2040-chip.mjs.

import { appendFileSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { Chip, UART_TRANSMIT_INTERRUPT, joinUart } from './rp2040-chip.mjs';

const [library, firmware, port, line, ...options] = process.argv.slice(2);
const isUsb = line.endsWith('usb');
const { RP2040, USBCDC, createSetupPacket, DataDirection, SetupRecipient, SetupType } = await import(
  pathToFileURL(join(library, 'dist/esm/index.js')).href
);

const RAM = 0x20000000;
const CYCLES_PER_TURN = 1_000_000;

const STUCK_CYCLES = 3 * 125e6;
const COMINGS_AND_GOINGS = 300;
const LONGEST_VISIT_CYCLES = 250_000;

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
const typed = [];
socket.on('data', (bytes) => {
  for (const byte of bytes) typed.push(byte);
});

/** Bytes that were printed in this turn. */
let printed = [];
const complain = (part, message) => process.stderr.write(`${part}: ${message}\n`);
const chip = new Chip(RP2040, elf.segments, {
  join: isUsb ? joinUsb : joinLine,
  isUartStuck,
  tell: (operation) => {
    if (operations !== null) appendFileSync(operations, `${Math.round(chip.cycles)} ${operation}\n`);
  },
  complain,
});
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

/** Prints what UART0 sends; answers with what gives it the next typed byte when its time has come. */
function joinLine(rp2040) {
  const feed = joinUart(rp2040, typed, (byte) => printed.push(byte));
  const uart = rp2040.uart[0];
  let isStuck = line === 'stuck-uart';
  return (cycles) => {
    if (isStuck && !isUartStuck()) {
      isStuck = false;
      uart.interruptStatus |= UART_TRANSMIT_INTERRUPT;
      uart.checkInterrupts();
    }
    feed(cycles);
  };
}

/** Whether nothing leaves the UART yet. */
function isUartStuck() {
  return line === 'stuck-uart' && chip.cycles < STUCK_CYCLES;
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
  try {
    chip.run(chip.cycles + CYCLES_PER_TURN);
  } catch (error) {
    complain('rp2040js', error.message);
    process.exit(1);
  }
  if (elf.rtt !== null) drainLog(chip.rp2040);
  if (printed.length > 0) {
    socket.write(Uint8Array.from(printed));
    printed = [];
  }
  setImmediate(turn);
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
