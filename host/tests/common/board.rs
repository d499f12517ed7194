//! A board at a pseudo-terminal that runs the program of the real ones.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use firmware::board::wired::{WiredBoard, Wires};
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
            let wires: Rc<RefCell<Wires>> = Rc::default();
            let start = Instant::now();
            let mut memory = Memory::new();
            let board = WiredBoard::at(&wires);
            let mut session = Session::new(board, Choice::only(image.bytes()), &mut memory);
            while !ends.load(Ordering::Relaxed) {
                for _ in 0..POLLS_PER_MILLISECOND {
                    receive(&pty, &mut wires.borrow_mut());
                    wires.borrow_mut().ticks = start.elapsed().as_millis() as u32;
                    session.poll();
                    let printed = std::mem::take(&mut wires.borrow_mut().printed);
                    transmit(&pty, &printed, &ends);
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

/// Takes what was typed at the other end.
fn receive(pty: &Pty, wires: &mut Wires) {
    let mut buffer = [0; 64];
    if wires.typed.is_empty()
        && let Ok(count) = (&pty.master).read(&mut buffer)
    {
        wires.typed.extend(&buffer[..count]);
    }
}

/// Sends all of it, as a board with flow control does: it waits for a reader.
fn transmit(pty: &Pty, mut bytes: &[u8], ends: &AtomicBool) {
    while !bytes.is_empty() && !ends.load(Ordering::Relaxed) {
        match (&pty.master).write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(_) => thread::sleep(Duration::from_millis(1)),
        }
    }
}
