//! A board at a pseudo-terminal that runs the program of the real ones.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use embedded_hal::digital::{self, OutputPin};
use embedded_io::{ErrorType, Read, ReadReady, Write};
use firmware::board::Board;
use firmware::choice::Choice;
use firmware::session::{Memory, Session};
use inkling_engine::AlignedImage;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use super::pty::Pty;

/// How many characters it writes at most before it rests for a millisecond.
const POLLS_PER_MILLISECOND: usize = 4;

/// The board; ends with its value.
pub struct EmulatedBoard {
    pub name: PathBuf,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl EmulatedBoard {
    /// Switches it on with a model.
    pub fn start(image: &[u8]) -> EmulatedBoard {
        let pty = Pty::raw();
        let flags = fcntl_getfl(&pty.master).unwrap();
        fcntl_setfl(&pty.master, flags | OFlags::NONBLOCK).unwrap();
        let name = pty.name.clone();
        let is_over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&is_over);
        let image = AlignedImage::new(image);
        let thread = thread::spawn(move || {
            let board = WiredBoard {
                pty,
                typed: VecDeque::new(),
                start: Instant::now(),
                ends: Arc::clone(&ends),
            };
            let mut memory = Memory::new();
            let mut session = Session::new(board, Choice::only(image.bytes()), &mut memory);
            while !ends.load(Ordering::Relaxed) {
                for _ in 0..POLLS_PER_MILLISECOND {
                    session.poll();
                }
                thread::sleep(Duration::from_millis(1));
            }
        });
        EmulatedBoard {
            name,
            is_over,
            thread: Some(thread),
        }
    }
}

impl Drop for EmulatedBoard {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

struct WiredBoard {
    pty: Pty,
    typed: VecDeque<u8>,
    start: Instant,
    ends: Arc<AtomicBool>,
}

impl Board for WiredBoard {
    const NAME: &'static str = "wired";
    const TICKS_PER_SECOND: u32 = 1_000;
    type Serial = Self;
    type Led = Self;

    fn serial(&mut self) -> &mut Self {
        self
    }

    fn led(&mut self) -> &mut Self {
        self
    }

    fn ticks(&mut self) -> u32 {
        self.start.elapsed().as_millis() as u32
    }

    fn entropy(&mut self) -> Option<u64> {
        None
    }
}

impl ErrorType for WiredBoard {
    type Error = Infallible;
}

impl digital::ErrorType for WiredBoard {
    type Error = Infallible;
}

impl OutputPin for WiredBoard {
    fn set_low(&mut self) -> Result<(), Infallible> {
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl ReadReady for WiredBoard {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        let mut buffer = [0; 64];
        if self.typed.is_empty()
            && let Ok(count) = (&self.pty.master).read(&mut buffer)
        {
            self.typed.extend(&buffer[..count]);
        }
        Ok(!self.typed.is_empty())
    }
}

impl Read for WiredBoard {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        buffer[0] = self.typed.pop_front().unwrap();
        Ok(1)
    }
}

impl Write for WiredBoard {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        // As a board with flow control does: it waits for a reader.
        while !self.ends.load(Ordering::Relaxed) {
            match (&self.pty.master).write(bytes) {
                Ok(count) => return Ok(count),
                Err(_) => thread::sleep(Duration::from_millis(1)),
            }
        }
        Ok(0)
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}
