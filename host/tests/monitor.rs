//! `host monitor` against boards that are pseudo-terminals and sockets, in scripts and on a terminal;
//! `host run` on the same terminal.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, Winsize, tcgetattr, tcsetattr, tcsetwinsize};
use tempfile::TempDir;

mod common;
use common::terminal::Terminal;
use common::wait::{PATIENCE, ended, wait_for_end};

const ROWS: u16 = 12;
const COLUMNS: u16 = 60;
const PASSAGE_END: &[u8] = b"\n# end: seed 9, 9 characters\n";

/// A pseudo-terminal: the master's side, and the name of the other one, held open.
struct Pty {
    master: File,
    name: PathBuf,
    /// While it is open, the master waits for input instead of failing.
    slave: File,
}

impl Pty {
    fn open() -> Pty {
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

    /// A board: no echo, no translation.
    fn board() -> Pty {
        let pty = Pty::open();
        let mut settings = tcgetattr(&pty.slave).unwrap();
        settings.make_raw();
        tcsetattr(&pty.slave, OptionalActions::Now, &settings).unwrap();
        let flags = fcntl_getfl(&pty.master).unwrap();
        fcntl_setfl(&pty.master, flags | OFlags::NONBLOCK).unwrap();
        pty
    }

    /// Waits until this has been typed at the board.
    #[track_caller]
    fn wait_for(&self, wanted: &str) {
        let deadline = Instant::now() + PATIENCE;
        let mut typed = Vec::new();
        while !typed
            .windows(wanted.len())
            .any(|window| window == wanted.as_bytes())
        {
            let mut buffer = [0; 1024];
            match (&self.master).read(&mut buffer) {
                Ok(count) => typed.extend(&buffer[..count]),
                Err(_) => thread::sleep(Duration::from_millis(5)),
            }
            let typed = typed.escape_ascii().to_string();
            assert!(Instant::now() < deadline, "no {wanted:?} in {typed}");
        }
    }

    fn print(&self, bytes: &[u8]) {
        (&self.master).write_all(bytes).unwrap();
    }
}

/// Bytes that come in from somewhere.
struct Received {
    receiver: Receiver<Vec<u8>>,
    text: Vec<u8>,
}

impl Received {
    fn of(mut stream: impl Read + Send + 'static) -> Received {
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
    fn wait(&mut self, what: &str, mut condition: impl FnMut(&[u8]) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !condition(&self.text) {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.receiver.recv_timeout(left) {
                Ok(bytes) => self.text.extend(bytes),
                Err(_) => panic!("no {what} in {}", self.text.escape_ascii()),
            }
        }
    }

    #[track_caller]
    fn wait_for(&mut self, wanted: &str) {
        let wanted = wanted.as_bytes();
        self.wait(&wanted.escape_ascii().to_string(), |text| {
            text.windows(wanted.len()).any(|window| window == wanted)
        });
    }
}

fn monitor(port: &Path, folder: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_host"));
    command
        .args(["monitor", "--wait", "0", "--port"])
        .arg(port)
        .env("INKLING_CACHE", folder.path());
    command
}

/// Starts it as a script does.
fn in_script(mut command: Command) -> Child {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Ends the script's input while the board goes on from passage to passage, and waits for the end.
#[track_caller]
fn end(mut child: Child, board: impl Write) -> Output {
    drop(child.stdin.take());
    let mut board = board;
    // Ever more slowly: what a starved program does not read must not fill the line, which would cut
    // a passage's end short.
    let mut pause = Duration::from_millis(50);
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait().unwrap().is_none() && Instant::now() < deadline {
        // Fails when the program has gone in the meantime.
        let _ = board.write_all(PASSAGE_END);
        thread::sleep(pause);
        pause = (pause * 5 / 4).min(Duration::from_secs(5));
    }
    ended(child)
}

#[test]
fn a_script_gets_every_byte_and_ends_with_the_passage() {
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("board.log");
    fs::write(&log, "of yesterday\n").unwrap();
    let board = Pty::board();
    let mut command = monitor(&board.name, &folder);
    command.arg("--log").arg(&log);
    let mut child = in_script(command);
    child
        .stdin
        .as_mut()
        .unwrap()
        .write_all(b"/seed 3\nabc\n")
        .unwrap();
    board.wait_for("/seed 3\nabc\n");
    board.print(b"# start: seed 3\nabc \xff\x1b[2J\xe2\x82\xac\r\n# start: seed 4\nnext");
    let output = end(child, &board.master);
    assert!(output.status.success());
    let expected =
        b"# start: seed 3\nabc \xff\x1b[2J\xe2\x82\xac\r\n# start: seed 4\nnext\n# end: seed 9";
    let printed = output.stdout.escape_ascii().to_string();
    assert!(
        printed.starts_with(&expected.escape_ascii().to_string()),
        "{printed}"
    );
    assert!(output.stdout.ends_with(PASSAGE_END), "{printed}");
    let expected =
        "of yesterday\n# start: seed 3\nabc �␛[2J€\n# start: seed 4\nnext\n# end: seed 9";
    let logged = fs::read_to_string(&log).unwrap();
    assert!(logged.starts_with(expected), "{logged}");
}

#[test]
fn a_board_that_is_plugged_in_again_is_taken_up_again() {
    let folder = TempDir::new().unwrap();
    let port = folder.path().join("port");
    let first = Pty::board();
    symlink(&first.name, &port).unwrap();
    let mut child = in_script(monitor(&port, &folder));
    let mut said = Received::of(child.stdout.take().unwrap());
    let mut complaints = Received::of(child.stderr.take().unwrap());
    first.print(b"one\n");
    said.wait_for("one\n");

    fs::remove_file(&port).unwrap();
    drop(first);
    complaints.wait_for("unplugged: waiting for the board\n");
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"lost\n").unwrap();
    complaints.wait_for("not sent, no board takes it: lost\n");

    let second = Pty::board();
    symlink(&second.name, &port).unwrap();
    second.print(b"two\n");
    said.wait_for("two\n");
    stdin.write_all(b"kept\n").unwrap();
    second.wait_for("kept\n");
    drop(stdin);
    assert!(end(child, &second.master).status.success());
}

#[test]
fn a_board_may_be_at_a_socket() {
    let folder = TempDir::new().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = format!("tcp:{}", listener.local_addr().unwrap());
    let mut child = in_script(monitor(Path::new(&port), &folder));
    let (mut board, _) = listener.accept().unwrap();
    let mut typed = Received::of(board.try_clone().unwrap());
    child
        .stdin
        .as_mut()
        .unwrap()
        .write_all(b"/model\n")
        .unwrap();
    typed.wait_for("/model\n");
    board.write_all(b"text").unwrap();
    let output = end(child, &board);
    assert!(output.status.success());
    assert!(output.stdout.starts_with(b"text\n# end: "));
}

#[test]
fn ports_that_cannot_be_opened_are_one_sentence() {
    let folder = TempDir::new().unwrap();
    let said = |port: &str| {
        let output = ended(in_script(monitor(Path::new(port), &folder)));
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    assert_eq!(
        said("/dev/no-such-port"),
        "error: there is no serial port /dev/no-such-port: plug the board in, or see `host monitor --list`\n"
    );
    assert!(said("tcp:127.0.0.1:1").starts_with("error: cannot connect to tcp:127.0.0.1:1: "));
    let file = folder.path().join("file");
    fs::write(&file, b"").unwrap();
    assert!(said(file.to_str().unwrap()).starts_with("error: cannot open "));

    let board = Pty::board();
    let name = board.name.to_str().unwrap();
    let mut first = in_script(monitor(&board.name, &folder));
    board.print(b"x");
    // What it has read, it has opened.
    Received::of(first.stdout.take().unwrap()).wait_for("x");
    let expected = format!(
        "error: {name} is in use: close the program that has it open, such as another monitor\n"
    );
    assert_eq!(said(name), expected);
    assert!(end(first, &board.master).status.success());
}

/// A user at a terminal.
struct Desk {
    child: Child,
    keyboard: File,
    output: Received,
    terminal: Terminal,
}

impl Desk {
    fn sit_down(mut command: Command) -> Desk {
        let pty = Pty::open();
        let size = Winsize {
            ws_row: ROWS,
            ws_col: COLUMNS,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&pty.master, size).unwrap();
        let end = || Stdio::from(pty.slave.try_clone().unwrap());
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn();
        Desk {
            child: child.unwrap(),
            keyboard: pty.master.try_clone().unwrap(),
            output: Received::of(pty.master.try_clone().unwrap()),
            terminal: Terminal::new(ROWS, COLUMNS),
        }
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until the rows that the terminal shows fulfil the condition.
    #[track_caller]
    fn wait(&mut self, what: &str, condition: impl Fn(&[String]) -> bool) {
        let terminal = &mut self.terminal;
        self.output.wait(what, |output| {
            terminal.take(output);
            condition(&terminal.rows())
        });
    }

    /// Waits until the terminal has shown this in a row, be it there still or not.
    #[track_caller]
    fn wait_for(&mut self, wanted: &str) {
        let terminal = &mut self.terminal;
        self.output.wait(wanted, |output| {
            terminal.take(output);
            terminal.has_shown(wanted)
        });
    }

    /// Presses Ctrl-C and waits for the program to end.
    #[track_caller]
    fn leave(&mut self) {
        self.press("\x03");
        assert!(wait_for_end(&mut self.child).success());
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        // Fails only if it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn what_has_scrolled_away_or_been_drawn_over_has_been_shown() {
    let mut terminal = Terminal::new(ROWS, COLUMNS);
    let mut output = b"connected\r\nstatus".to_vec();
    terminal.take(&output);
    output.extend(b"\r\x1b[Jother\r\n");
    output.extend("# end: seed 9\r\n".repeat(100).bytes());
    terminal.take(&output);
    let rows = terminal.rows();
    assert!(rows.iter().all(|row| row == "# end: seed 9"), "{rows:?}");
    for text in ["connected", "status", "other"] {
        assert!(terminal.has_shown(text), "{text}");
    }
}

#[test]
fn at_a_terminal_text_streams_above_a_status_line_and_an_editor() {
    let folder = TempDir::new().unwrap();
    let port = folder.path().join("port");
    let board = Pty::board();
    symlink(&board.name, &port).unwrap();
    let mut desk = Desk::sit_down(monitor(&port, &folder));
    desk.wait_for("connected");
    // A board that does not introduce itself is asked to.
    board.wait_for("/model\n/stats\n");
    board.print(b"# model: tiny, 65 symbols\n# passage: seed 7, 1 of 9 characters\n# settings: temperature 0.8\nTo be");
    desk.wait_for("temperature 0.8 · seed 7 · tiny");

    desk.press("/te\t0.55\x7f\r");
    board.wait_for("/temp 0.5\n");
    desk.wait_for("> /temp 0.5");
    board.print(b"\n# temperature 0.5\n or not");
    desk.wait_for("temperature 0.5 · seed 7");
    // Noise does nothing to the terminal.
    board.print(b" to \x1b[2J\x1b[H\x07\xff be\n");
    desk.wait_for(" or not to ␛[2J␛[H␇");
    desk.press("\x1b[A");
    desk.wait("the line of before, below the status line", |rows| {
        let Some(([.., status], input)) = rows.split_last().map(|(last, rest)| (rest, last)) else {
            return false;
        };
        status.contains("characters/s") && input == "> /temp 0.5"
    });
    assert!(desk.terminal.has_shown("To be"));

    fs::remove_file(&port).unwrap();
    drop(board);
    desk.wait_for("unplugged: waiting for the board");
    let board = Pty::board();
    symlink(&board.name, &port).unwrap();
    board.print(b"# Inkling 0.1.0 on pico\n# model: other, 9 symbols\n");
    desk.wait_for(" pico · 0 characters/s · other");

    desk.leave();
    desk.wait("the status line gone", |rows| {
        rows.iter().all(|row| !row.contains("characters/s"))
    });
}

#[test]
fn logs_of_a_probe_stand_apart_from_the_text() {
    use std::os::unix::fs::PermissionsExt;
    let folder = TempDir::new().unwrap();
    let elf = folder.path().join("firmware.elf");
    fs::write(&elf, common::elf(0, "nrf52840-dk", &common::image(16))).unwrap();
    let board = Pty::board();
    let with_probe = || {
        let mut command = monitor(&board.name, &folder);
        command.arg("--elf").arg(&elf).env("PATH", folder.path());
        command
    };
    let output = ended(in_script(with_probe()));
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.starts_with("error: probe-rs is not installed"),
        "{said}"
    );

    let tool = folder.path().join("probe-rs");
    fs::write(
        &tool,
        "#!/bin/sh\necho \"INFO $1 $3\"\nexec /bin/sleep 600\n",
    )
    .unwrap();
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
    let mut child = in_script(with_probe());
    let mut said = Received::of(child.stderr.take().unwrap());
    said.wait_for("log: INFO attach nRF52840_xxAA\n");
    board.print(b"text");
    assert!(
        end(child, &board.master)
            .stdout
            .starts_with(b"text\n# end: ")
    );

    let mut desk = Desk::sit_down(with_probe());
    desk.wait_for("log: INFO attach nRF52840_xxAA");
    desk.leave();
}

#[test]
fn an_emulated_board_is_talked_to_in_the_same_way() {
    let folder = TempDir::new().unwrap();
    let board = host::device::find(host::device::DEFAULT_BOARD).unwrap();
    let firmware = host::device::Firmware::with_room(board, host::device::Program::Console);
    let mut firmware = firmware.unwrap_or_else(|error| panic!("{error}"));
    firmware.replace_model(&common::image(16)).unwrap();
    let elf = folder.path().join("firmware.elf");
    fs::write(&elf, &firmware.elf).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_host"));
    command
        .arg("run")
        .arg(&elf)
        .env("INKLING_CACHE", folder.path());
    let mut desk = Desk::sit_down(command);
    desk.wait_for(&format!(" {} · ", board.name));
    desk.wait_for("INFO passage with seed 1");
    desk.wait_for(" · temperature 0.8 · seed 1");
    desk.press("/seed 5\r");
    desk.wait_for(" · seed 5");
    desk.wait_for("INFO passage with seed 5");
    desk.leave();
}

#[test]
fn a_board_that_has_been_flashed_can_be_talked_to_at_once() {
    let folder = TempDir::new().unwrap();
    let elf = folder.path().join("firmware.elf");
    fs::write(&elf, common::elf(0x1000_0000, "pico", &common::image(16))).unwrap();
    let drive = folder.path().join("drive");
    fs::create_dir(&drive).unwrap();
    fs::write(drive.join("INFO_UF2.TXT"), "Board-ID: RPI-RP2\r\n").unwrap();
    let board = Pty::board();
    let flash = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_host"));
        command.arg("flash").arg("--firmware").arg(&elf);
        command
            .arg("--drive")
            .arg(&drive)
            .arg("--port")
            .arg(&board.name);
        command.env("INKLING_CACHE", folder.path());
        command
    };
    let mut command = flash();
    command.arg("--yes");
    let child = in_script(command);
    board.print(b"text");
    let output = end(child, &board.master);
    assert!(output.stdout.starts_with(b"text\n# end: "));

    let mut desk = Desk::sit_down(flash());
    desk.wait_for("open the monitor? [Y/n]");
    desk.press("\r");
    desk.wait_for("connected");
    desk.leave();
    let mut desk = Desk::sit_down(flash());
    desk.wait_for("open the monitor? [Y/n]");
    desk.press("n\r");
    wait_for_end(&mut desk.child);
}
