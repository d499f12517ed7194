//! Pseudo-terminals, and what they show.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Instant;

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, Winsize, tcgetattr, tcsetattr, tcsetwinsize};

use super::wait::PATIENCE;

/// A pseudo-terminal: the master's side, and the name of the other one, held open.
pub struct Pty {
    pub master: File,
    pub name: PathBuf,
    /// While it is open, the master waits for input instead of failing.
    pub slave: File,
}

impl Pty {
    pub fn open() -> Pty {
        let master: OwnedFd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        // The programs that are started here must not keep it open.
        fcntl_setfd(&master, FdFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let name = PathBuf::from(name.to_str().unwrap());
        let slave = OpenOptions::new().read(true).write(true).open(&name);
        Pty {
            master: File::from(master),
            name,
            slave: slave.unwrap(),
        }
    }

    /// A serial port: no echo, no translation.
    pub fn raw() -> Pty {
        let pty = Pty::open();
        let mut settings = tcgetattr(&pty.slave).unwrap();
        settings.make_raw();
        tcsetattr(&pty.slave, OptionalActions::Now, &settings).unwrap();
        pty
    }

    pub fn resize(&self, rows: u16, columns: u16) {
        let size = Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&self.master, size).unwrap();
    }

    /// Starts a program with this terminal.
    pub fn start(&self, command: &mut Command) -> Child {
        let end = || Stdio::from(self.slave.try_clone().unwrap());
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn();
        child.unwrap()
    }

    /// The mode of the terminal, in words.
    pub fn mode(&self) -> String {
        format!("{:?}", tcgetattr(&self.slave).unwrap())
    }
}

/// Bytes that come in from somewhere.
pub struct Received {
    receiver: Receiver<Vec<u8>>,
    pub text: Vec<u8>,
}

impl Received {
    pub fn of(mut stream: impl Read + Send + 'static) -> Received {
        let (sender, receiver) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 1024];
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Received {
            receiver,
            text: Vec::new(),
        }
    }

    /// Waits until all that has come fulfils the condition.
    #[track_caller]
    pub fn wait(&mut self, what: &str, mut condition: impl FnMut(&[u8]) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !condition(&self.text) {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.receiver.recv_timeout(left) {
                Ok(bytes) => self.text.extend(bytes),
                Err(_) => panic!("no {what} in\n{}", self.text.escape_ascii()),
            }
        }
    }

    #[track_caller]
    pub fn wait_for(&mut self, wanted: &str) {
        let wanted = wanted.as_bytes();
        self.wait(&wanted.escape_ascii().to_string(), |text| {
            text.windows(wanted.len()).any(|window| window == wanted)
        });
    }
}
