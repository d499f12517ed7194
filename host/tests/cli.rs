//! The commands that read models, as a user runs them: what they print and how they refuse.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

use assert_cmd::prelude::*;
use host::quantize::{FloatModel, InputForm, quantize};
use host::synthetic::float_model;
use inkling_engine::AlignedImage;
use inkling_engine::format::Planes;
use inkling_engine::{Generator, Settings, State};
use serde_json::Value;
use tempfile::TempDir;

mod common;

/// A folder with one sound image of a made-up model.
struct Fixture {
    folder: TempDir,
    image: AlignedImage,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let parts = quantize(
            &float_model(65, 24, 1, 3),
            Planes::uniform(3),
            InputForm::Folded,
        )
        .unwrap();
        let image = parts.to_image().unwrap();
        std::fs::write(folder.path().join("model.img"), image.bytes()).unwrap();
        Self { folder, image }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a changed copy of the image.
    fn changed(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> PathBuf {
        let mut bytes = self.image.bytes().to_vec();
        change(&mut bytes);
        std::fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    fn host(&self, arguments: &[&str]) -> Command {
        let mut command = Command::cargo_bin("inkling").unwrap();
        command.current_dir(self.folder.path()).args(arguments);
        command
    }

    fn output(&self, arguments: &[&str]) -> String {
        let output = self.host(arguments).assert().success().get_output().clone();
        String::from_utf8(output.stdout).unwrap()
    }

    /// What a failing command says, with the folder's name taken out.
    fn refusal(&self, arguments: &[&str]) -> String {
        let output = self.host(arguments).assert().failure().get_output().clone();
        assert!(output.stdout.is_empty());
        let folder = self.folder.path().display().to_string();
        String::from_utf8(output.stderr)
            .unwrap()
            .replace(&folder, "FOLDER")
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn sample_prints_what_the_engine_generates() {
    let fixture = Fixture::new();
    let mut generator = Generator::new(
        fixture.image.model().unwrap(),
        State::any(),
        Settings::default(),
        9,
    )
    .unwrap();
    for character in "abc".chars() {
        assert!(generator.prompt_char(character));
    }
    let expected: String = (0..200).map(|_| generator.next_char()).collect();
    let arguments = ["sample", "model.img", "--seed", "9", "--length", "200"];
    let printed = fixture.output(&[&arguments[..], &["--prompt", "a😀bc"]].concat());
    assert_eq!(printed, format!("abc{expected}"));
}

#[test]
fn sample_reads_a_prompt_as_the_text_was_read() {
    let fixture = Fixture::new();
    let sample = |prompt: &str| {
        let arguments = ["sample", "model.img", "--length", "20", "--prompt", prompt];
        let output = fixture.host(&arguments).output().unwrap();
        assert!(output.status.success());
        let [text, said] =
            [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        (text, said)
    };
    let (text, said) = sample("café d’été\r\nnaïve — “oui”");
    assert!(text.starts_with("cafe d'ete\nnaive -- \"oui\""), "{text}");
    assert_eq!(said, "");
    let (text, said) = sample("- a😀b\u{1b}");
    assert!(text.starts_with("- ab"), "{text}");
    assert!(said.contains(r#"does not know: "😀\u{1b}""#), "{said}");
}

#[test]
fn a_random_seed_is_told_and_repeats_its_text() {
    let fixture = Fixture::new();
    let sample = |seed: &str| {
        let arguments = ["sample", "model.img", "--length", "100", "--seed", seed];
        let output = fixture.host(&arguments).output().unwrap();
        assert!(output.status.success());
        (output.stdout, String::from_utf8(output.stderr).unwrap())
    };
    let (text, said) = sample("random");
    let seed = said.trim().rsplit(' ').next().unwrap();
    assert_eq!(sample(seed), (text.clone(), String::new()));
    assert_ne!(sample("random").0, text);
    for seed in ["-1", "Random", "18446744073709551616", ""] {
        let refused = fixture.refusal(&["sample", "model.img", "--seed", seed]);
        assert!(refused.contains("or `random`"), "{refused}");
    }
}

/// A model that would write nothing but U+FFFD, the most frequent symbol of its text.
fn model_of_rare_characters() -> FloatModel {
    let mut model = float_model(65, 24, 1, 3);
    model.alphabet[0] = char::REPLACEMENT_CHARACTER;
    model.output_bias[0] = 30.0;
    model
}

#[test]
fn what_stands_for_rare_characters_is_never_written() {
    let fixture = Fixture::new();
    let parts = quantize(
        &model_of_rare_characters(),
        Planes::uniform(3),
        InputForm::Folded,
    )
    .unwrap();
    std::fs::write(fixture.path("rare.img"), parts.to_image().unwrap().bytes()).unwrap();
    for temperature in ["0", "0.8", "65.5"] {
        for choice in [["--top-k", "0"], ["--top-k", "1"], ["--top-p", "0.1"]] {
            let arguments = ["sample", "rare.img", "--length", "2000", "--prompt", "ab�c"];
            let settings = ["--temperature", temperature, choice[0], choice[1]];
            let text = fixture.output(&[&arguments[..], &settings].concat());
            assert_eq!(text.chars().count(), 2_003);
            assert!(!text.contains('�'), "{text}");
        }
    }
}

#[test]
fn unsound_images_are_refused_in_one_sentence() {
    let fixture = Fixture::new();
    let truncated = fixture.changed("truncated.img", |bytes| bytes.truncate(3_000));
    let damaged = fixture.changed("damaged.img", |bytes| bytes[2_000] ^= 1);
    let newer = fixture.changed("newer.img", |bytes| bytes[4] = 7);
    let longer = fixture.changed("longer.img", |bytes| bytes.extend([0; 5]));
    let other = fixture.changed("other.img", |bytes| bytes.fill(b'x'));
    let refusals: Vec<String> = [truncated, damaged, newer, longer, other]
        .iter()
        .map(|path| fixture.refusal(&["inspect", text(path)]))
        .collect();
    insta::assert_snapshot!(refusals.concat(), @r"
    error: cannot use FOLDER/truncated.img: the model image is cut short: 3000 of 10160 bytes
    error: cannot use FOLDER/damaged.img: the model image is damaged: its checksum does not match
    error: cannot use FOLDER/newer.img: the model image has format version 7, this program reads 3 to 5: export the model again or update the program
    error: FOLDER/longer.img: 5 bytes behind the model image: export the model again
    error: cannot use FOLDER/other.img: this is not a model image
    ");
}

#[test]
fn what_is_not_there_is_named() {
    let fixture = Fixture::new();
    let refusals = [
        fixture.refusal(&["sample", "nothing.img"]),
        fixture.refusal(&["export", "nothing"]),
        fixture.refusal(&["eval", "model.img", "--text", "nothing.txt"]),
    ];
    insta::assert_snapshot!(refusals.concat(), @r"
    error: there is no model nothing.img: name an image file
    error: there is no run 'nothing': `inkling train` makes runs
    error: cannot find the text 'nothing.txt'; check the path, or say with --text where it is
    ");
}

#[test]
fn temperatures_that_mean_nothing_are_refused() {
    let fixture = Fixture::new();
    for temperature in ["-1", "NaN", "inf", "1e9", "warm"] {
        let said = fixture.refusal(&["sample", "model.img", "--temperature", temperature]);
        assert!(
            said.contains("expected a number from 0 to 65.535"),
            "{said}"
        );
    }
}

#[test]
fn inspect_tells_scripts_what_is_inside() {
    let fixture = Fixture::new();
    let report: Value =
        serde_json::from_str(&fixture.output(&["inspect", "model.img", "--json"])).unwrap();
    assert_eq!(report["hidden"], 24);
    assert_eq!(report["symbols"], 65);
    assert_eq!(report["layers"], 1);
    assert_eq!(
        (&report["format"], &report["planes"]),
        (&3.into(), &3.into())
    );
    assert_eq!(report["input_planes"], Value::Null);
    assert_eq!(report["image_bytes"], fixture.image.bytes().len());
    let microbit = |board: &&Value| board["board"] == "microbit";
    let boards = report["boards"].as_array().unwrap();
    let microbit = boards.iter().find(microbit).unwrap();
    assert_eq!(microbit["fits"], true);
    assert!(microbit["flash_left_bytes"].as_i64().unwrap() > 100_000);
    assert!(microbit["ram_left_bytes"].as_i64().unwrap() > 0);
    assert!(microbit["characters_per_second"].as_f64().unwrap() > 50.0);
}

#[test]
fn inspect_shows_the_room_left_and_the_speed_of_each_board() {
    let fixture = Fixture::new();
    let model = float_model(65, 500, 1, 3);
    let parts = quantize(&model, Planes::uniform(1), InputForm::Embedded).unwrap();
    std::fs::write(fixture.path("large.img"), parts.to_image().unwrap().bytes()).unwrap();
    for (model, microbit) in [("model.img", "KiB"), ("large.img", "too little")] {
        let report = fixture.output(&["inspect", model]);
        let row = |board: &str| {
            let mut rows = report.lines().filter(|line| line.starts_with(board));
            rows.next().unwrap_or_else(|| panic!("{report}"))
        };
        assert!(row("microbit ").contains(microbit), "{report}");
        let speed = row("pico ").rsplit(' ').next().unwrap().replace(',', "");
        let speed: f64 = speed.parse().unwrap();
        assert!(speed > 10.0, "{report}");
        // Boards that nobody can buy are counted only.
        assert!(!report.contains("mps2-an386"), "{report}");
        assert!(
            report.ends_with("boards that exist in emulators only, 6 hold it.\n"),
            "{report}"
        );
    }
}

#[test]
fn eval_measures_the_last_tenth_of_a_text() {
    let fixture = Fixture::new();
    std::fs::write(
        fixture.path("text.txt"),
        "the quick brown fox\n".repeat(100),
    )
    .unwrap();
    let arguments = ["eval", "model.img", "--text", "text.txt", "--json"];
    let report: Value = serde_json::from_str(&fixture.output(&arguments)).unwrap();
    assert_eq!(report["characters"], 199);
    let nats = report["engine_loss_nats"].as_f64().unwrap();
    let bits = report["bits_per_char"].as_f64().unwrap();
    // An untrained model is worse than a fair guess among 65 symbols, but not absurd.
    assert!((65_f64.ln() * 0.8..20.0).contains(&nats), "{nats}");
    assert!((bits - nats / 2_f64.ln()).abs() < 1e-9);
}

#[test]
fn eval_puts_several_models_into_one_table_or_one_line_of_json_each() {
    let fixture = Fixture::new();
    let parts = quantize(
        &float_model(65, 40, 1, 4),
        Planes::uniform(1),
        InputForm::Embedded,
    )
    .unwrap();
    let other = parts.to_image().unwrap();
    std::fs::write(fixture.path("other.img"), other.bytes()).unwrap();
    std::fs::write(
        fixture.path("text.txt"),
        "the lazy dog sleeps\n".repeat(100),
    )
    .unwrap();
    let arguments = ["eval", "model.img", "other.img", "--text", "text.txt"];
    let arguments = [&arguments[..], &["--blocks", "50"]].concat();
    let table = fixture.output(&arguments);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 3, "{table}");
    for title in ["bytes", "bits/char", "nats/char", "in blocks"] {
        assert!(lines[0].contains(title), "{table}");
    }
    assert!(lines[1].starts_with("synthetic-24 "), "{table}");
    assert!(lines[2].starts_with("synthetic-40 "), "{table}");

    let all = fixture.output(&[&arguments[..], &["--verbose"]].concat());
    assert!(all.starts_with(&table), "{all}");
    for figure in [
        "engine loss",
        "perplexity",
        "blocks of 50",
        "saturation",
        "shape",
    ] {
        assert_eq!(all.matches(figure).count(), 2, "{figure}: {all}");
    }

    let json = fixture.output(&[&arguments[..], &["--json"]].concat());
    let reports: Vec<Value> = json
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(reports.len(), 2);
    for (report, hidden) in reports.iter().zip([24, 40]) {
        assert_eq!(report["hidden"], hidden);
        let figure = |name: &str| report[name].as_f64().unwrap();
        assert!((figure("perplexity") - figure("engine_loss_nats").exp()).abs() < 1e-9);
        // Starting afresh costs something, but a made-up model knows little anyway.
        assert!((figure("block_loss_nats") - figure("engine_loss_nats")).abs() < 1.0);
        let gates = &report["saturation"];
        assert!((0.0..=1.0).contains(&gates["forget_gate"].as_f64().unwrap()));
    }
    let said = fixture.refusal(&[&arguments[..], &["--float", "x"]].concat());
    assert!(
        said.contains("--float names the run of one model"),
        "{said}"
    );
}

#[test]
fn health_gives_one_verdict_and_an_exit_code() {
    let fixture = Fixture::new();
    let arguments = ["health", "model.img", "--length", "10000"];
    let report = fixture.output(&arguments);
    assert!(report.ends_with("verdict      healthy\n"), "{report}");
    let greedy = [&arguments[..], &["--temperature", "0", "--json"]].concat();
    let output = fixture
        .host(&greedy)
        .assert()
        .failure()
        .get_output()
        .clone();
    let health: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(health["healthy"], false);
    assert!(health["repeated_most"].as_f64().unwrap() > 0.95);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said, "error: the model is not healthy\n");
}

/// Commands that print something, and whether they succeed.
fn printing() -> Vec<(Vec<&'static str>, bool)> {
    let mut commands: Vec<_> = [
        "--help",
        "--version",
        "help eval",
        "emulate --help",
        "boards",
        "boards --json",
        "inspect model.img",
        "inspect model.img --json",
        "eval model.img --text text.txt",
        "eval model.img --text text.txt --json",
        "eval model.img model.img --text text.txt",
        "sample model.img",
        "sample model.img --json",
        "health model.img --length 10000",
        "health model.img --length 10000 --json",
        "monitor --list",
    ]
    .map(|line| (line, true))
    .into();
    // What is missing on a machine is no matter here.
    commands.extend([("doctor", false), ("doctor --json", false)]);
    let words = |(line, succeeds): (&'static str, bool)| (line.split(' ').collect(), succeeds);
    commands.into_iter().map(words).collect()
}

#[cfg(unix)]
fn full() -> std::process::Stdio {
    let options = std::fs::OpenOptions::new().write(true).open("/dev/full");
    options.unwrap().into()
}

#[cfg(unix)]
fn closed() -> std::process::Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

#[cfg(unix)]
#[test]
fn no_command_stumbles_over_a_closed_pipe_or_a_full_disk() {
    let fixture = Fixture::new();
    std::fs::write(fixture.path("text.txt"), "to be or not\n".repeat(100)).unwrap();
    for (arguments, succeeds) in printing() {
        let run = |out: std::process::Stdio, err: std::process::Stdio| {
            let mut command = fixture.host(&arguments);
            let child = command.stdout(out).stderr(err).spawn().unwrap();
            let output = child.wait_with_output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            (output.status.code(), said, output.stdout)
        };
        let piped = std::process::Stdio::piped;
        let (code, said, _) = run(closed(), piped());
        assert_eq!(code, Some(0), "{arguments:?}: {said}");
        assert!(!said.contains("error"), "{arguments:?}: {said}");

        let (code, said, _) = run(full(), piped());
        assert_eq!(code, Some(1), "{arguments:?}: {said}");
        let expected = "error: cannot write to standard output: No space left on device";
        assert!(said.starts_with(expected), "{arguments:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{arguments:?}: {said}");

        // Nobody may be told of an error, and nothing is printed in another way for that.
        for err in [closed(), full()] {
            let (code, _, printed) = run(piped(), err);
            assert!(!succeeds || code == Some(0), "{arguments:?}");
            assert!(!printed.is_empty(), "{arguments:?}");
            assert!(!printed.contains(&0x1b), "{arguments:?}");
        }
    }
    // Refusals have nowhere to go either.
    for arguments in [&["inspect", "none.img"][..], &["no-such-command"]] {
        for err in [closed(), full()] {
            let code = fixture.host(arguments).stderr(err).status().unwrap().code();
            assert!(matches!(code, Some(1 | 2)), "{arguments:?}: {code:?}");
        }
    }
}

/// What a hostile file may hold: each of these does something to a terminal that gets it as it is.
const HOSTILE: [&str; 8] = [
    "\x1b[31;5m",
    "\x1b]52;c;ZXZpbA==\x07",
    "\x1b]8;;http://x/\x1b\\",
    "\x1b[?1049h",
    "\u{9b}2J",
    "\u{202e}",
    "\u{2066}",
    "\x07\x08\x0b\x0c\x7f",
];

#[cfg(unix)]
#[test]
fn nothing_from_files_or_arguments_acts_on_a_terminal() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;
    let fixture = Fixture::new();
    std::fs::write(fixture.path("text.txt"), "to be or not\n".repeat(100)).unwrap();
    let with = |words: &str, more: &[&OsString]| -> Vec<OsString> {
        let words = words.split(' ').map(OsString::from);
        words.chain(more.iter().map(|&word| word.clone())).collect()
    };
    let hostile = HOSTILE.concat();
    let word = OsString::from(format!("w{hostile}\nx"));
    let option = OsString::from(format!("-{hostile}"));
    let folder = fixture.path(&format!("d{hostile}\n").replace('/', "|"));
    std::fs::create_dir(&folder).unwrap();
    // A control character in one byte is no UTF-8.
    let bad = folder.join(OsString::from_vec(b"bad\x9b2J.img".to_vec()));
    std::fs::write(&bad, b"no image").unwrap();
    let (folder, bad) = (folder.into_os_string(), bad.into_os_string());
    let mut commands = vec![
        with("inspect", &[&bad]),
        with("inspect", &[&word]),
        with("sample", &[&bad]),
        with("sample --float", &[&bad]),
        with("sample --temperature", &[&word, &bad]),
        with("sample --seed", &[&word, &bad]),
        with("health", &[&bad]),
        with("export", &[&bad]),
        with("eval model.img --text text.txt", &[&bad]),
        with("eval model.img --text", &[&bad]),
        with("eval model.img --text", &[&word]),
        with("eval model.img --float", &[&word]),
        with("emulate --board", &[&word]),
        with("emulate --model", &[&bad]),
        with("emulate --elf", &[&bad]),
        with("emulate --length 5 --prompt", &[&word]),
        with("flash --board", &[&word]),
        with("flash --firmware", &[&bad]),
        with("flash --board pico --model", &[&bad]),
        with("monitor --wait 0 --port", &[&word]),
        with("monitor --board", &[&word]),
        with("monitor --wait 0 --log", &[&folder]),
        with("run", &[&bad]),
        with("fetch", &[&option]),
        with("inspect", &[&option, &option]),
        vec![word.clone()],
    ];
    // Models whose names and alphabets are hostile.
    for (index, hostile) in HOSTILE.iter().enumerate() {
        let mut model = float_model(65, 24, 1, 3);
        let unusual = hostile.chars().chain("\u{7f}\u{85}\u{9f}".chars());
        for (slot, c) in model.alphabet.iter_mut().skip(1).zip(unusual) {
            *slot = c;
        }
        let parts = quantize(&model, Planes::uniform(3), InputForm::Folded).unwrap();
        let name = format!("model{index}.img");
        let image = renamed(
            parts.to_image().unwrap().bytes(),
            &format!("x{hostile}y\nz"),
        );
        std::fs::write(fixture.path(&name), image).unwrap();
        let name = OsString::from(name);
        commands.extend([
            with("inspect", &[&name]),
            with("inspect --json", &[&name]),
            with("eval --text text.txt", &[&name, &name]),
            with("sample --length 2000 --prompt", &[&word, &name]),
        ]);
    }
    let one = OsString::from("model0.img");
    commands.push(with("eval --text text.txt", &[&one]));
    commands.push(with("eval --json --text text.txt", &[&one]));
    commands.push(with("health --length 10000", &[&one]));
    for arguments in commands {
        let shown = on_a_terminal(&fixture, &arguments);
        assert!(shown.contains(char::is_alphanumeric), "{arguments:?}");
        for c in shown.chars() {
            let is_harmless = !c.is_control() || matches!(c, '\n' | '\r' | '\t');
            let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            assert!(is_harmless && !turns, "{arguments:?}: {shown:?}");
        }
    }
}

/// An image of another name, which the exporter would not write.
#[cfg(unix)]
fn renamed(image: &[u8], name: &str) -> Vec<u8> {
    use inkling_engine::format::{NAME_BYTES, NAME_OFFSET};
    use inkling_engine::image::checksum;
    let mut image = image.to_vec();
    let length = name.floor_char_boundary(NAME_BYTES);
    let place = &mut image[NAME_OFFSET..NAME_OFFSET + NAME_BYTES];
    place.fill(0);
    place[..length].copy_from_slice(&name.as_bytes()[..length]);
    let checksum = checksum(&image);
    image[12..16].copy_from_slice(&checksum.to_le_bytes());
    image
}

/// What a command prints on a terminal, without the erasures and colours that are the program's own.
#[cfg(unix)]
fn on_a_terminal(fixture: &Fixture, arguments: &[std::ffi::OsString]) -> String {
    use common::pty::{Pty, Received};
    use common::wait::wait_for_end;
    let terminal = Pty::open();
    terminal.resize(24, 80);
    let mut command = fixture.host(&[]);
    command.args(arguments).env("NO_COLOR", "1");
    let mut child = terminal.start(&mut command);
    let mut shown = Received::of(terminal.master.try_clone().unwrap());
    wait_for_end(&mut child);
    // What has been written is there when this is.
    std::io::Write::write_all(&mut &terminal.slave, b"<end>").unwrap();
    shown.wait_for("<end>");
    let text = String::from_utf8(shown.text).unwrap();
    // Progress bars erase lines, go up, and hide nothing.
    let own = ["\x1b[0J", "\x1b[K", "\x1b[0m", "\x1b[?7l", "\x1b[?7h"];
    own.iter().fold(text, |text, own| text.replace(own, ""))
}

#[test]
fn eval_measures_the_good_models_and_names_the_bad_ones() {
    let fixture = Fixture::new();
    fixture.changed("bad.img", |bytes| bytes[2_000] ^= 1);
    std::fs::write(fixture.path("text.txt"), "the lazy dog\n".repeat(100)).unwrap();
    let arguments = ["eval", "model.img", "bad.img", "none", "model.img"];
    let arguments = [&arguments[..], &["--text", "text.txt"]].concat();
    let output = fixture.host(&arguments).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("bad.img: "), "{said}");
    assert!(said.contains("none: there is no model none"), "{said}");
    let last = "error: 2 of 4 models could not be measured, see above\n";
    assert!(said.ends_with(last), "{said}");
    let table = String::from_utf8(output.stdout).unwrap();
    assert_eq!(table.lines().count(), 3, "{table}");
    let json = fixture.host(&[&arguments[..], &["--json"]].concat());
    let printed = { json }.output().unwrap().stdout;
    let reports = String::from_utf8(printed).unwrap();
    assert_eq!(reports.lines().count(), 2, "{reports}");
    for report in reports.lines() {
        assert!(serde_json::from_str::<Value>(report).is_ok(), "{report}");
    }
}

#[test]
fn negative_numbers_are_refused_by_what_they_mean() {
    let fixture = Fixture::new();
    for (command, option) in [
        ("sample model.img", "--temperature"),
        ("sample model.img", "--top-k"),
        ("sample model.img", "--top-p"),
        ("sample model.img", "--seed"),
        ("sample model.img", "--length"),
        ("emulate --length 5", "--top-k"),
        ("emulate --length 5", "--temperature"),
        ("emulate", "--length"),
        ("health model.img", "--length"),
        ("health model.img", "--seed"),
        ("eval model.img", "--blocks"),
        ("monitor", "--wait"),
        ("flash --board pico", "--wait"),
    ] {
        let arguments: Vec<_> = command.split(' ').chain([option, "-1"]).collect();
        let said = fixture.refusal(&arguments);
        assert!(said.starts_with("error: "), "{arguments:?}: {said}");
        assert!(!said.contains("unexpected"), "{arguments:?}: {said}");
        let is_told = [
            "must", "expected", "takes", " is not ", "at least", "above", "between",
        ];
        assert!(
            is_told.iter().any(|word| said.contains(word)),
            "{arguments:?}: {said}"
        );
    }
}
