//! Boots the firmware of a Raspberry Pi Pico 2 and joins its UART to a local socket.
//!
//! The processor is that of the crate rp2350-emu; what is around it, as far as the firmware uses it, and
//! what that processor lacks is here. `inkling emulate` builds and starts this program; it goes into no
//! other. Time is virtual: 6⅔ ns a cycle, as fast as it goes, with all of the flash as if in its cache.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;

use anyhow::{Context, Result, bail};
use clap::{Parser, ValueEnum};

mod board;
mod bus;
mod chip;
mod elf;
mod opcode;
mod rom;
mod uart;

use board::Pico2;
use elf::Elf;

/// Between two looks at the socket.
const CYCLES_PER_TURN: u64 = 1_000_000;

/// Boot a firmware of the Raspberry Pi Pico 2 and join its UART to a local socket
#[derive(Debug, Parser)]
#[command(name = "inkling-rp2350")]
struct Args {
    /// The linked firmware
    firmware: PathBuf,
    /// The TCP port of this machine that somebody listens at
    port: u16,
    /// How the UART does
    #[arg(value_enum, default_value = "uart")]
    line: Line,
    /// A file that lies beside the firmware in flash, and where
    #[arg(long, num_args = 2, value_names = ["FILE", "ADDRESS"])]
    beside: Vec<String>,
    /// Write down here what the firmware does to its flash: a line each with the cycle, erase or program,
    /// the offset, and how many bytes or which ones in hexadecimal
    #[arg(long, value_name = "FILE")]
    operations: Option<PathBuf>,
}

/// How a UART does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Line {
    /// It sends.
    Uart,
    /// It sends nothing in the first three seconds.
    StuckUart,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let file = fs::read(&args.firmware)
        .with_context(|| format!("cannot read {}", args.firmware.display()))?;
    let mut elf =
        Elf::read(&file).with_context(|| format!("{} is no firmware", args.firmware.display()))?;
    if let [file, address] = args.beside.as_slice() {
        let bytes = fs::read(file).with_context(|| format!("cannot read {file}"))?;
        let address = address
            .parse()
            .with_context(|| format!("'{address}' is no address"))?;
        elf.segments.push((address, bytes));
    }
    let operations = args
        .operations
        .map(|path| {
            let file = OpenOptions::new().create(true).append(true).open(&path);
            file.with_context(|| format!("cannot write {}", path.display()))
        })
        .transpose()?;
    let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, args.port))
        .with_context(|| format!("nobody listens at port {}", args.port))?;
    socket.set_nodelay(true)?;
    let board = Pico2::power(&elf, args.line == Line::StuckUart, operations)?;
    converse(board, socket)
}

/// Runs the board until nobody listens any more.
fn converse(mut board: Pico2, mut socket: TcpStream) -> Result<()> {
    let typed = receive(socket.try_clone()?);
    let mut stdout = io::stdout();
    loop {
        board.run(CYCLES_PER_TURN)?;
        if stdout
            .write_all(&board.logged())
            .and_then(|()| stdout.flush())
            .is_err()
        {
            return Ok(());
        }
        let printed = board.printed();
        if !printed.is_empty() && socket.write_all(&printed).is_err() {
            return Ok(());
        }
        loop {
            match typed.try_recv() {
                Ok(bytes) => board.type_in(&bytes),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return Ok(()),
            }
        }
        if board.is_locked_up() {
            bail!("the processor locks up at {:#010x}", board.instruction());
        }
    }
}

/// Receives in a thread of its own: the board does not wait for what is typed.
fn receive(mut socket: TcpStream) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = socket.read(&mut buffer) {
            if sender.send(buffer[..count].to_vec()).is_err() {
                break;
            }
        }
    });
    receiver
}
