//! A program on a pseudo-terminal of 80 by 24, and what that shows.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::num::NonZero;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

const ROWS: u16 = 24;
const COLUMNS: u16 = 80;

/// How long a firmware may take to be built, and a passage to be written.
const PATIENCE: Duration = Duration::from_secs(600);

/// The terminal; the program ends with it.
pub struct Terminal {
    master: File,
    child: Child,
    output: Receiver<Vec<u8>>,
    parser: vt100::Parser,
    /// All that came since the last line was typed.
    since: Vec<u8>,
}

impl Terminal {
    /// Starts a program on a terminal of its own.
    pub fn start(program: &str, arguments: &[&str]) -> anyhow::Result<Terminal> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
        fcntl_setfd(&master, FdFlags::CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let name = ptsname(&master, Vec::new())?;
        tcsetwinsize(
            &master,
            Winsize {
                ws_row: ROWS,
                ws_col: COLUMNS,
                ws_xpixel: 0,
                ws_ypixel: 0,
            },
        )?;
        let slave = OpenOptions::new()
            .read(true)
            .write(true)
            .open(name.to_str()?)?;
        let end = || slave.try_clone().map(Stdio::from);
        let child = Command::new(program)
            .args(arguments)
            .env("TERM", "xterm-256color")
            .stdin(end()?)
            .stdout(end()?)
            .stderr(end()?)
            .spawn()
            .with_context(|| format!("cannot start {program}"))?;
        let master = File::from(master);
        let size = |count| NonZero::new(count).context("a terminal without cells");
        Ok(Terminal {
            output: receive(master.try_clone()?),
            master,
            child,
            parser: vt100::Parser::new(size(ROWS)?, size(COLUMNS)?, 0),
            since: Vec::new(),
        })
    }

    /// Types a line.
    pub fn type_line(&mut self, line: &str) -> anyhow::Result<()> {
        self.since.clear();
        self.master.write_all(format!("{line}\r").as_bytes())?;
        Ok(())
    }

    /// Waits until the program has printed something since the last line was typed.
    pub fn wait_for(&mut self, wanted: &str) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let has_come = |since: &[u8]| String::from_utf8_lossy(since).contains(wanted);
        while !has_come(&self.since) {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(bytes) = self.output.recv_timeout(left) else {
                bail!(
                    "the terminal did not show '{wanted}', but\n{}",
                    self.parser.screen().contents()
                );
            };
            self.parser.process(&bytes);
            self.since.extend(bytes);
        }
        Ok(())
    }

    /// What it shows.
    pub fn screen(&self) -> &vt100::Screen {
        self.parser.screen()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Ctrl-C, as a user leaves the console; what does not go then is ended.
        let _ = self.master.write_all(b"\x03");
        for _ in 0..50 {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn receive(mut master: File) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut buffer = [0; 1024];
        while let Ok(count @ 1..) = master.read(&mut buffer) {
            if sender.send(buffer[..count].to_vec()).is_err() {
                break;
            }
        }
    });
    receiver
}
