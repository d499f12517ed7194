//! Boots a firmware in an emulator, QEMU, rp2040js or the one of the Pico 2, and talks to its serial port.
//!
//! The serial port is a local socket; what the firmware logs comes out of the emulator's standard
//! output and is decoded by the module `log`. Dropping an [`Emulator`] ends the program.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use firmware::protocol::{Heard, Parser, Said};
use tempfile::TempDir;

use super::board::{Board, Machine};
use super::build::Firmware;
use super::error::DeviceError;
use super::log;
use crate::output;
use crate::toolchain::{rp2040js, rp2350};

/// How long the program may take to start and to open the serial port.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// How often whoever takes a silent board's text is asked whether to go on.
const TICK: Duration = Duration::from_millis(100);

/// What joins rp2040js to a socket.
const RP2040_BRIDGE: [(&str, &str); 2] = [
    ("rp2040.mjs", include_str!("rp2040.mjs")),
    ("rp2040-chip.mjs", include_str!("rp2040-chip.mjs")),
];

/// How much of the last output an error shows.
const SHOWN_BYTES: usize = 120;

/// How to boot.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options<'a> {
    /// Let virtual time pass by the instruction in QEMU: one instruction is one nanosecond. Slower,
    /// and the same in every run, as the emulators of the Picos are at all times.
    pub count_instructions: bool,
    /// Show the firmware's log on standard error.
    pub log: bool,
    /// Join the USB port of a board that has one beside its UART.
    pub usb: bool,
    /// Have trouble with the port, which the Picos' emulators alone can: a UART that sends nothing in the first
    /// three seconds, or a USB host that opens and closes the port 300 times before it stays.
    pub trouble: bool,
    /// Write down here what the firmware does to its flash, where the emulator has one.
    pub operations: Option<&'a Path>,
}

/// A line of the board's own to wait for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// How it starts, for whoever waits in vain.
    pub name: &'a str,
    /// Whether a line is the one.
    pub is: fn(Said<'_>) -> bool,
}

/// A running emulator; ends with its value.
#[derive(Debug)]
pub struct Emulator {
    process: Process,
    serial: TcpStream,
    received: Receiver<Vec<u8>>,
    /// Received bytes that nobody has asked for yet.
    pending: Vec<u8>,
    logger: Option<thread::JoinHandle<()>>,
    /// Files that the program reads.
    _files: TempDir,
}

impl Emulator {
    /// Boots a firmware.
    ///
    /// # Errors
    /// When the program is missing, has no such board or does not start.
    pub fn start(firmware: &Firmware, options: Options<'_>) -> Result<Emulator, DeviceError> {
        let machine = machine_of(firmware.board)?;
        let files = TempDir::new()?;
        let elf = files.path().join("firmware.elf");
        fs::write(&elf, &firmware.elf)?;
        let model = match (&firmware.flashed_model, firmware.board.model_region) {
            (Some(image), Some(region)) => {
                let file = files.path().join("model.img");
                fs::write(&file, image)?;
                Some((file, region.address))
            }
            _ => None,
        };

        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let mut process = command(machine, options, &elf, model, port)?
            .spawn()
            .map(Process)
            .map_err(|error| match error.kind() {
                ErrorKind::NotFound => DeviceError::EmulatorMissing {
                    program: machine.program,
                },
                _ => error.into(),
            })?;
        let logger = process.0.stdout.take().map(|stdout| {
            let elf = firmware.elf.clone();
            thread::spawn(move || log::follow(&elf, stdout, options.log))
        });
        let serial = accept(&listener, &mut process)?;
        let received = receive(serial.try_clone()?);
        Ok(Emulator {
            process,
            serial,
            received,
            pending: Vec::new(),
            logger,
            _files: files,
        })
    }

    /// Types bytes at the serial port.
    ///
    /// # Errors
    /// When the emulator has ended.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), DeviceError> {
        self.serial
            .write_all(bytes)
            .map_err(|_| self.why_it_ended())
    }

    /// Types a line at the serial port.
    ///
    /// # Errors
    /// When the emulator has ended.
    pub fn send_line(&mut self, line: &str) -> Result<(), DeviceError> {
        self.send(format!("{line}\n").as_bytes())
    }

    /// What the board has printed since the last call; waits for at least a byte, but not longer
    /// than `timeout`, after which the answer is empty.
    ///
    /// # Errors
    /// When the emulator has ended.
    pub fn read(&mut self, timeout: Duration) -> Result<Vec<u8>, DeviceError> {
        if self.pending.is_empty() {
            self.wait(timeout)?;
        }
        Ok(std::mem::take(&mut self.pending))
    }

    /// Everything the board prints up to and with `marker`, which must come within `timeout`.
    ///
    /// # Errors
    /// When it does not, or the emulator ends.
    pub fn read_until(&mut self, marker: &str, timeout: Duration) -> Result<String, DeviceError> {
        let deadline = Instant::now() + timeout;
        let mut text = std::mem::take(&mut self.pending);
        let mut searched = 0;
        loop {
            if let Some(at) = find(&text[searched..], marker.as_bytes()) {
                self.pending = text.split_off(searched + at + marker.len());
                return Ok(String::from_utf8_lossy(&text).into_owned());
            }
            searched = text.len().saturating_sub(marker.len());
            let left = deadline.saturating_duration_since(Instant::now());
            if !self.wait(left)? {
                return Err(timed_out(marker, timeout, &text));
            }
            text.append(&mut self.pending);
        }
    }

    /// Hands on the text that the board prints until it says the line that is `wanted`, and answers with
    /// that. What comes behind it stays for the next call. Whoever takes the text is asked now and then,
    /// also where there is none, whether to go on; if not, the answer is `None`.
    ///
    /// # Errors
    /// When the board prints nothing for as long as `patience`, or the emulator ends.
    pub fn listen(
        &mut self,
        parser: &mut Parser,
        patience: Duration,
        wanted: Wanted<'_>,
        mut hand_on: impl FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<Option<String>, DeviceError> {
        let mut last = Vec::new();
        let mut deadline = Instant::now() + patience;
        loop {
            let mut text = Vec::new();
            let mut found = None;
            for (at, &byte) in self.pending.iter().enumerate() {
                match parser.push(byte) {
                    Heard::Text(byte) => text.push(byte),
                    Heard::Line(line) if (wanted.is)(Said::read(line)) => {
                        found = Some((at, line.to_owned()));
                        break;
                    }
                    _ => {}
                }
            }
            let goes_on = hand_on(&text).is_continue();
            if let Some((end, line)) = found {
                self.pending.drain(..=end);
                return Ok(Some(line));
            }
            last.append(&mut self.pending);
            last.drain(..last.len().saturating_sub(SHOWN_BYTES));
            if !goes_on {
                return Ok(None);
            }
            if self.wait(TICK)? {
                deadline = Instant::now() + patience;
            } else if Instant::now() > deadline {
                return Err(timed_out(wanted.name, patience, &last));
            }
        }
    }

    /// Waits for more output; whether some came within `timeout`.
    fn wait(&mut self, timeout: Duration) -> Result<bool, DeviceError> {
        match self.received.recv_timeout(timeout) {
            Ok(bytes) => {
                self.pending.extend(bytes);
                self.pending.extend(self.received.try_iter().flatten());
                Ok(true)
            }
            Err(RecvTimeoutError::Timeout) => Ok(false),
            Err(RecvTimeoutError::Disconnected) => Err(self.why_it_ended()),
        }
    }

    fn why_it_ended(&mut self) -> DeviceError {
        self.process.end();
        DeviceError::EmulatorEnded {
            said: self.process.said(),
        }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // The log ends with the process.
        self.process.end();
        if let Some(logger) = self.logger.take() {
            let _ = logger.join();
        }
    }
}

/// A child process that ends with its value.
#[derive(Debug)]
struct Process(Child);

impl Process {
    fn end(&mut self) {
        // Either fails only if it has ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }

    /// What it wrote to its standard error, once it has ended.
    fn said(&mut self) -> String {
        let mut text = String::new();
        if let Some(stderr) = &mut self.0.stderr {
            // Whatever could be read is shown.
            let _ = stderr.read_to_string(&mut text);
        }
        text
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// What emulates a board.
pub(super) fn machine_of(board: &'static Board) -> Result<Machine, DeviceError> {
    board
        .emulator
        .ok_or(DeviceError::NoEmulator { board: board.name })
}

/// Whether a machine has a USB port beside its UART.
pub(super) fn has_usb(machine: Machine) -> bool {
    machine.program == rp2040js::NODE
}

/// The command that boots `elf`, with a model in a place of its own if there is one, and connects the
/// serial port to the local `port`.
fn command(
    machine: Machine,
    options: Options<'_>,
    elf: &Path,
    model: Option<(PathBuf, u64)>,
    port: u16,
) -> Result<Command, DeviceError> {
    let is_rp2040js = machine.program == rp2040js::NODE;
    if options.usb && !has_usb(machine) {
        return Err(DeviceError::NoUsb {
            machine: machine.machine,
        });
    }
    let mut command;
    if is_rp2040js || machine.program == rp2350::PROGRAM {
        command = match is_rp2040js {
            true => rp2040js_with_bridge(elf)?,
            false => Command::new(rp2350::program()?),
        };
        run_as_pico(&mut command, options, elf, port);
        if let Some((file, address)) = model {
            command.arg("--beside").arg(file).arg(address.to_string());
        }
    } else {
        command = Command::new(machine.program);
        run_in_qemu(&mut command, machine.machine, options, elf, port);
        if let Some((file, address)) = model {
            let file = file.display();
            let loader = format!("loader,file={file},addr={address},force-raw=on");
            command.args(["-device", &loader]);
        }
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Ok(command)
}

/// Node with what joins rp2040js to a socket, and where that is.
fn rp2040js_with_bridge(elf: &Path) -> Result<Command, DeviceError> {
    if !rp2040js::is_installed() {
        return Err(DeviceError::EmulatorMissing {
            program: "rp2040js",
        });
    }
    for (name, script) in RP2040_BRIDGE {
        fs::write(elf.with_file_name(name), script)?;
    }
    let [(bridge, _), _] = RP2040_BRIDGE;
    let mut node = Command::new(rp2040js::NODE);
    node.arg(elf.with_file_name(bridge))
        .arg(rp2040js::package_dir());
    Ok(node)
}

/// What both emulators of Picos are told.
fn run_as_pico(command: &mut Command, options: Options<'_>, elf: &Path, port: u16) {
    let line = match (options.usb, options.trouble) {
        (false, false) => "uart",
        (false, true) => "stuck-uart",
        (true, false) => "usb",
        (true, true) => "fickle-usb",
    };
    command.arg(elf).args([&port.to_string(), line]);
    if let Some(operations) = options.operations {
        command.arg("--operations").arg(operations);
    }
}

fn run_in_qemu(qemu: &mut Command, machine: &str, options: Options<'_>, elf: &Path, port: u16) {
    qemu.args(["-machine", machine])
        // Machines that would start with a boot program of their own start with the firmware.
        .args(["-bios", "none"])
        .args(["-display", "none", "-monitor", "none"])
        .arg("-chardev")
        .arg(format!("socket,id=serial,host=127.0.0.1,port={port}"))
        .args(["-serial", "chardev:serial"])
        .args(["-semihosting-config", "enable=on,target=native"])
        .arg("-kernel")
        .arg(elf);
    if options.count_instructions {
        qemu.args(["-icount", "shift=0"]);
    }
}

/// Waits for the program to open the serial port, or to end.
fn accept(listener: &TcpListener, process: &mut Process) -> Result<TcpStream, DeviceError> {
    listener.set_nonblocking(true)?;
    let deadline = Instant::now() + START_TIMEOUT;
    loop {
        match listener.accept() {
            Ok((serial, _)) => {
                serial.set_nonblocking(false)?;
                serial.set_nodelay(true)?;
                return Ok(serial);
            }
            Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error.into()),
            Err(_) => {}
        }
        if process.0.try_wait()?.is_some() || Instant::now() > deadline {
            process.end();
            return Err(DeviceError::EmulatorEnded {
                said: process.said(),
            });
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Receives in a thread of its own, so that the board never waits for a reader.
fn receive(mut serial: TcpStream) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = serial.read(&mut buffer) {
            if sender.send(buffer[..count].to_vec()).is_err() {
                break;
            }
        }
    });
    receiver
}

fn find(text: &[u8], marker: &[u8]) -> Option<usize> {
    text.windows(marker.len())
        .position(|window| window == marker)
}

pub(super) fn timed_out(marker: &str, timeout: Duration, text: &[u8]) -> DeviceError {
    let last = &text[text.len().saturating_sub(SHOWN_BYTES)..];
    DeviceError::Timeout {
        wanted: marker.trim().into(),
        timeout,
        last: output::one_line(String::from_utf8_lossy(last).trim()),
    }
}
