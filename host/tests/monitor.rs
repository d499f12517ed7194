//! `inkling monitor` against boards that are pseudo-terminals and sockets, in scripts and on a terminal;
//! `host run` on the same terminal.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::ops::Deref;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use firmware::protocol::{BREAK, DONE_TEXT, OWN};
use inkling_engine::AlignedImage;
use inkling_engine::{Generator, Settings, State};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use common::board::EmulatedBoard;
use common::pty::{Pty, Received};

mod common;
use common::terminal::Terminal;
use common::wait::{PATIENCE, ended, wait_for_end};

const ROWS: u16 = 12;
const COLUMNS: u16 = 60;

/// The end of a passage as it is shown.
const PASSAGE_END: &str = "\n# end: seed 9, 9 characters, 9 characters/s\n";

/// The end of a passage as a board writes it.
fn passage_end() -> String {
    format!("{BREAK}{OWN}end: seed 9, 9 characters, 9 characters/s\n")
}

/// A board of which the test is the program.
struct Puppet(Pty);

impl Deref for Puppet {
    type Target = Pty;

    fn deref(&self) -> &Pty {
        &self.0
    }
}

impl Puppet {
    fn new() -> Puppet {
        Puppet::at(Pty::raw())
    }

    /// The other end of any terminal.
    fn at(pty: Pty) -> Puppet {
        let flags = fcntl_getfl(&pty.master).unwrap();
        fcntl_setfl(&pty.master, flags | OFlags::NONBLOCK).unwrap();
        Puppet(pty)
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

    /// Says something of its own.
    fn say(&self, line: &str) {
        self.print(format!("{OWN}{line}\n").as_bytes());
    }

    /// Acknowledges a typed line.
    fn acknowledge(&self) {
        self.print(DONE_TEXT.as_bytes());
    }
}

fn monitor(port: &Path, folder: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_inkling"));
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
        let _ = board.write_all(passage_end().as_bytes());
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
    let board = Puppet::new();
    let mut command = monitor(&board.name, &folder);
    command.arg("--log").arg(&log);
    let mut child = in_script(command);
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"/len 9\nabc")
        .unwrap();
    board.wait_for("/len 9\n");
    board.acknowledge();
    board.wait_for("abc\n");
    board.acknowledge();
    board.say("start: seed 3, temperature 0.8");
    board.print(
        b"abc \xff\x1b[2J\xe2\x82\xac\r\n\n# end: seed 3, 9 characters, 9 characters/s\nnext",
    );
    board.print(passage_end().as_bytes());
    board.say("start: seed 4, temperature 0.8");
    let output = ended(child);
    assert!(output.status.success());
    let expected =
        b"# start: seed 3, temperature 0.8\nabc \xff\x1b[2J\xe2\x82\xac\r\n\n# end: seed 3, \
        9 characters, 9 characters/s\nnext";
    assert_eq!(
        output.stdout.escape_ascii().to_string(),
        [&expected[..], PASSAGE_END.as_bytes()]
            .concat()
            .escape_ascii()
            .to_string()
    );
    let expected = "of yesterday\n# start: seed 3, temperature 0.8\nabc �␛[2J€\n\n# end: seed 3, \
        9 characters, 9 characters/s\nnext";
    // It holds all that the board prints, and may go on for a moment.
    let logged = fs::read_to_string(&log).unwrap();
    assert!(
        logged.starts_with(&(expected.to_owned() + PASSAGE_END)),
        "{logged}"
    );
}

#[test]
fn each_line_of_a_log_can_start_with_the_time() {
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("board.log");
    let board = EmulatedBoard::start(&common::image(16));
    let mut command = monitor(&board.name, &folder);
    command.arg("--log").arg(&log).arg("--timestamps");
    let output = ended(with_input(command, "/rate max\n/len 20\nabc\n"));
    assert!(output.status.success());
    let logged = fs::read_to_string(&log).unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    for line in shown.lines() {
        let is_line = |logged: &str| {
            let (time, text) = logged
                .split_once("Z ")
                .unwrap_or_else(|| panic!("{logged}"));
            assert_eq!((time.len(), &time[10..11]), (23, "T"), "{logged}");
            text == line
        };
        assert!(logged.lines().any(is_line), "no {line:?} in {logged}");
    }
}

/// Starts it with a whole script.
fn with_input(command: Command, lines: &str) -> Child {
    let mut child = in_script(command);
    // It may have ended by itself before.
    let _ = child.stdin.take().unwrap().write_all(lines.as_bytes());
    child
}

/// What a model of so many cells writes.
fn on_the_pc(hidden: usize, seed: u64, prompt: &str, length: usize) -> String {
    let image = AlignedImage::new(&common::image(hidden));
    let mut generator = Generator::new(
        image.model().unwrap(),
        State::any(),
        Settings::default(),
        seed,
    )
    .unwrap();
    let prompt: String = prompt
        .chars()
        .filter(|&c| generator.prompt_char(c))
        .collect();
    prompt
        + &(0..length)
            .map(|_| generator.next_char())
            .collect::<String>()
}

/// The seeds of the passages that start with a prompt and are as they have to be, in order.
#[track_caller]
fn seeds_of(shown: &str, prompts: &[&str], length: usize) -> Vec<u64> {
    let mut rest = shown;
    let mut seeds = Vec::new();
    for prompt in prompts {
        let (_, behind) = rest
            .match_indices("# start: seed ")
            .map(|(at, start)| rest.split_at(at + start.len()))
            .find(|(_, behind)| {
                let text = behind.split_once('\n').map_or("", |(_, text)| text);
                text.starts_with(prompt)
            })
            .unwrap_or_else(|| panic!("no passage with {prompt:?} in {rest}"));
        let seed = behind.split_once(',').unwrap().0.parse().unwrap();
        let text = on_the_pc(16, seed, prompt, length);
        let (_, behind) = behind.split_once('\n').unwrap();
        let end = format!("{text}\n# end: seed {seed}, {length} characters, ");
        assert!(behind.starts_with(&end), "no {end:?} in {behind}");
        rest = behind;
        seeds.push(seed);
    }
    assert_eq!(rest.matches("# end: ").count(), 1, "more follows: {rest}");
    seeds
}

#[test]
fn a_script_gets_the_passage_of_each_of_its_prompts_and_ends_with_the_last() {
    let folder = TempDir::new().unwrap();
    let board = EmulatedBoard::start(&common::image(16));
    for _ in 0..3 {
        let script = "/rate max\n/len 40\n\nabc\n/stats\r\ndef\n/seed 77\nghi\n//* x\nlast";
        let output = ended(with_input(monitor(&board.name, &folder), script));
        let shown = String::from_utf8(output.stdout).unwrap();
        let seeds = seeds_of(&shown, &["abc", "def", "ghi", "/* x", "last"], 40);
        assert_eq!(seeds[2], 77, "{shown}");
        assert!(
            shown.contains("# settings: temperature 0.8, rate max\n"),
            "{shown}"
        );
        assert!(!shown.contains("# paused"), "{shown}");
        assert!(output.status.success());
    }
}

#[test]
fn no_text_ends_a_script() {
    let folder = TempDir::new().unwrap();
    let board = EmulatedBoard::start(&common::image(16));
    let forged = "# end: seed 1, 60 characters, 999 characters/s";
    let script = format!("/rate 100\n/len 60\n{forged}\nabc\n");
    let output = ended(with_input(monitor(&board.name, &folder), &script));
    let shown = String::from_utf8(output.stdout).unwrap();
    seeds_of(&shown, &[forged, "abc"], 60);
    assert!(output.status.success());
}

#[test]
fn a_script_that_cannot_be_carried_out_fails_and_says_which_line() {
    let folder = TempDir::new().unwrap();
    let board = EmulatedBoard::start(&common::image(16));
    let too_long = "x".repeat(300);
    let script = format!("/rate max\n/len 9\na\x1b[Ab\n{too_long}\nabc\n");
    let output = ended(with_input(monitor(&board.name, &folder), &script));
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let control = "line ignored: it holds control characters: a␛[Ab\n";
    assert!(said.contains(control), "{said}");
    assert!(
        said.contains("line ignored: longer than 255 bytes: xxx"),
        "{said}"
    );
    assert!(
        said.ends_with("error: not all of the input was carried out, see above\n"),
        "{said}"
    );
    let shown = String::from_utf8(output.stdout).unwrap();
    seeds_of(&shown, &["abc"], 9);

    let broken = EmulatedBoard::start(&[0; 4096]);
    let output = ended(with_input(monitor(&broken.name, &folder), "abc\n"));
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.starts_with("error: the board has no model: "),
        "{said}"
    );
}

#[test]
fn prompts_are_read_as_the_text_was_where_the_model_is_known() {
    let folder = TempDir::new().unwrap();
    let image = common::image(16);
    let board = EmulatedBoard::start(&image);
    let prompt = |folder: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_inkling"));
        command.args(["monitor", "--port"]).arg(&board.name);
        command.env("INKLING_CACHE", folder).current_dir(folder);
        let output = ended(with_input(
            command,
            "/rate max\n/len 9\n/model\nxé y’z 日\n",
        ));
        assert!(output.status.success());
        let said = String::from_utf8(output.stderr).unwrap();
        (String::from_utf8(output.stdout).unwrap(), said)
    };
    // Nobody but the board knows its model.
    let (shown, _) = prompt(folder.path());
    assert!(
        shown.contains("# skipped what the model does not know: é’日\n"),
        "{shown}"
    );
    seeds_of(&shown, &["x yz "], 9);
    fs::create_dir(folder.path().join("weights")).unwrap();
    fs::write(folder.path().join("weights/synthetic-16.img"), &image).unwrap();
    // It knows no capitals, so that ri stands for what is else written Ri.
    let (shown, _) = prompt(folder.path());
    assert!(!shown.contains("skipped"), "{shown}");
    seeds_of(&shown, &["xe y'z ri "], 9);
    // One of the same name is not the same one.
    fs::write(
        folder.path().join("weights/synthetic-16.img"),
        common::image(24),
    )
    .unwrap();
    let (shown, _) = prompt(folder.path());
    seeds_of(&shown, &["x yz "], 9);
}

/// Standard output that nobody reads, and one that is full.
fn bad_outputs() -> [Stdio; 2] {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    [writer.into(), full.into()]
}

#[test]
fn a_script_ends_with_whoever_reads_it() {
    let folder = TempDir::new().unwrap();
    let board = EmulatedBoard::start(&common::image(16));
    for (output, code) in bad_outputs().into_iter().zip([0, 1]) {
        let mut command = monitor(&board.name, &folder);
        // The input goes on for ever.
        let child = command.stdin(Stdio::piped()).stdout(output);
        let child = child.stderr(Stdio::piped()).spawn().unwrap();
        let mut child = child;
        let stdin = child.stdin.take();
        let output = ended(child);
        drop(stdin);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{said}");
        let is_told = said.starts_with("error: cannot write to standard output: ");
        assert!(is_told == (code == 1), "{said}");
        assert!(said.lines().count() <= 1, "{said}");
    }
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

#[test]
fn signals_end_a_conversation_and_leave_the_terminal_as_it_was() {
    let folder = TempDir::new().unwrap();
    let board = EmulatedBoard::start(&common::image(16));
    for (which, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let mut desk = Desk::sit_down(monitor(&board.name, &folder));
        let before = desk.mode_before.clone();
        desk.wait_for("characters/s");
        assert_ne!(desk.pty.mode(), before);
        signal(&desk.child, which);
        assert_eq!(wait_for_end(&mut desk.child).code(), Some(code));
        assert_eq!(desk.pty.mode(), before, "{which:?}");
        // No more bracketed paste.
        desk.output.wait_for("\x1b[?2004l");

        let child = in_script(monitor(&board.name, &folder));
        let mut child = child;
        let mut shown = Received::of(child.stdout.take().unwrap());
        shown.wait("text", |text| !text.is_empty());
        signal(&child, which);
        assert_eq!(ended(child).status.code(), Some(code), "{which:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_signal_that_is_to_be_ignored_is_ignored() {
    let folder = TempDir::new().unwrap();
    let board = EmulatedBoard::start(&common::image(16));
    // As `nohup` starts programs, so that they outlive the terminal.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' HUP; exec \"$0\" monitor --port \"$1\""]);
    command.arg(env!("CARGO_BIN_EXE_inkling")).arg(&board.name);
    command.env("INKLING_CACHE", folder.path());
    let mut child = in_script(command);
    let mut shown = Received::of(child.stdout.take().unwrap());
    shown.wait("text", |text| !text.is_empty());
    signal(&child, Signal::HUP);
    let before = shown.text.len();
    shown.wait("more text", |text| text.len() > before + 40);
    signal(&child, Signal::TERM);
    assert_eq!(ended(child).status.code(), Some(143));
}

#[test]
fn a_terminal_that_goes_away_ends_the_conversation() {
    let folder = TempDir::new().unwrap();
    // One board writes all the time, the other one is silent.
    let board = EmulatedBoard::start(&common::image(16));
    let silent = Puppet::new();
    for port in [&board.name, &silent.name] {
        let terminal = Puppet::at(Pty::open());
        terminal.resize(ROWS, COLUMNS);
        let mut child = terminal.start(&mut monitor(port, &folder));
        terminal.wait_for("characters/s");
        // No signal tells it, as this is not its controlling terminal.
        drop(terminal);
        assert_eq!(wait_for_end(&mut child).code(), Some(1));
    }
}

#[test]
fn a_board_that_is_plugged_in_again_is_taken_up_again() {
    let folder = TempDir::new().unwrap();
    let port = folder.path().join("port");
    let first = Puppet::new();
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

    let second = Puppet::new();
    symlink(&second.name, &port).unwrap();
    second.print(b"back\n");
    said.wait_for("back\n");
    stdin.write_all(b"kept\n").unwrap();
    second.wait_for("kept\n");
    second.acknowledge();
    second.say("start: seed 4, temperature 0.8");
    second.print(b"two\n");
    said.wait_for("two\n");
    drop(stdin);
    // Not all was sent.
    assert_eq!(end(child, &second.master).status.code(), Some(1));
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
    board.write_all(DONE_TEXT.as_bytes()).unwrap();
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
        "error: there is no serial port /dev/no-such-port: plug the board in, or see `inkling monitor --list`\n"
    );
    assert!(said("tcp:127.0.0.1:1").starts_with("error: cannot connect to tcp:127.0.0.1:1: "));
    let file = folder.path().join("file");
    fs::write(&file, b"").unwrap();
    assert!(said(file.to_str().unwrap()).starts_with("error: cannot open "));

    let board = Puppet::new();
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
    mode_before: String,
    pty: Pty,
}

impl Desk {
    fn sit_down(mut command: Command) -> Desk {
        let pty = Pty::open();
        pty.resize(ROWS, COLUMNS);
        Desk {
            mode_before: pty.mode(),
            child: pty.start(&mut command),
            keyboard: pty.master.try_clone().unwrap(),
            output: Received::of(pty.master.try_clone().unwrap()),
            terminal: Terminal::new(ROWS, COLUMNS),
            pty,
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
    let board = Puppet::new();
    symlink(&board.name, &port).unwrap();
    let mut desk = Desk::sit_down(monitor(&port, &folder));
    desk.wait_for("connected");
    // A board that does not introduce itself is asked to.
    board.wait_for("/model\n/stats\n");
    board.say("model: tiny, 65 symbols");
    board.say("passage: seed 7, 1 of 9 characters");
    board.say("settings: temperature 0.8");
    board.print(b"To be");
    desk.wait_for("temperature 0.8 · seed 7 · tiny");

    desk.press("/te\t0.55\x7f\r");
    board.wait_for("/temp 0.5\n");
    desk.wait_for("> /temp 0.5");
    board.print(BREAK.as_bytes());
    board.say("temperature 0.5");
    board.print(b" or not");
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
    let board = Puppet::new();
    symlink(&board.name, &port).unwrap();
    board.say("Inkling 0.1.0 on pico");
    board.say("model: other, 9 symbols");
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
    let board = Puppet::new();
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
    // What the board has printed in the meantime may push it out of the window.
    desk.output.wait_for("log: INFO attach nRF52840_xxAA");
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
    let mut command = Command::new(env!("CARGO_BIN_EXE_inkling"));
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
    let board = Puppet::new();
    let flash = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_inkling"));
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
    // What the board has printed in the meantime may push it out of the window.
    desk.output.wait_for("connected");
    desk.leave();
    let mut desk = Desk::sit_down(flash());
    desk.wait_for("open the monitor? [Y/n]");
    desk.press("n\r");
    wait_for_end(&mut desk.child);
}
