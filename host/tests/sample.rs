//! `sample` as a user runs it: how many texts, where they end, which of them, and how they are shown.

#![allow(clippy::unwrap_used)]

use std::collections::HashSet;
use std::process::Output;

use assert_cmd::prelude::*;
use host::quantize::{InputForm, quantize};
use host::synthetic::float_model;
use host::writing::{Author, Pieces, Wanted};
use inkling_engine::AlignedImage;
use inkling_engine::format::Planes;
use inkling_engine::{Guard, Settings, Thousandths};
use tempfile::TempDir;

/// A folder with a model that writes short lines.
struct Desk {
    folder: TempDir,
    image: AlignedImage,
}

impl Desk {
    fn new() -> Self {
        let mut model = float_model(28, 24, 1, 3);
        model.output_bias[0] += 1.5;
        let parts = quantize(&model, Planes::uniform(3), InputForm::Folded).unwrap();
        let image = parts.to_image().unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("model.img"), image.bytes()).unwrap();
        Self { folder, image }
    }

    fn run(&self, line: &[&str]) -> Output {
        let mut command = std::process::Command::cargo_bin("inkling").unwrap();
        let command = command.current_dir(self.folder.path());
        command
            .args(["sample", "model.img"])
            .args(line)
            .output()
            .unwrap()
    }

    fn sample(&self, line: &[&str]) -> String {
        let output = self.run(line);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn refusal(&self, line: &[&str]) -> String {
        let output = self.run(line);
        assert!(!output.status.success(), "{line:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// The passages of so many seeds from 1 on, each until a line end.
    fn lines(&self, count: usize, best_of: usize) -> Vec<String> {
        let author = Author::of_image(self.image.model().unwrap(), Settings::default());
        let wanted = Wanted {
            length: 1_000,
            until: vec!['\n'],
            best_of,
            ..Wanted::default()
        };
        let mut pieces = Pieces::new(author, wanted, 1);
        (0..count)
            .map(|_| pieces.next_piece().unwrap().text)
            .collect()
    }
}

#[test]
fn so_many_texts_end_where_they_should_each_with_a_seed_of_its_own() {
    let desk = Desk::new();
    let said = desk.sample(&["--count", "5", "--until", r"\n"]);
    let expected = desk.lines(5, 1);
    let trimmed: Vec<&str> = expected.iter().map(|line| line.trim()).collect();
    assert_eq!(said.lines().collect::<Vec<_>>(), trimmed);
    // Every one is what its seed gives by itself, where nothing is added.
    for (seed, line) in expected.iter().enumerate() {
        let seed = (seed + 1).to_string();
        assert_eq!(&desk.sample(&["--until", r"\n", "--seed", &seed]), line);
    }
    // Whatever comes first of all that was named ends a text.
    let ended = desk.sample(&["--count", "20", "--until", "aei", "--until", r"\n"]);
    assert!(ended.lines().all(|line| {
        let before = &line[..line.len().saturating_sub(1)];
        !before
            .trim_start_matches(|c| "aei".contains(c))
            .contains(|c| "aei".contains(c))
    }));
}

#[test]
fn every_text_begins_with_the_prompt() {
    let desk = Desk::new();
    let said = desk.sample(&["--count", "4", "--until", r"\n", "--prompt", "ab"]);
    assert_eq!(said.lines().count(), 4);
    assert!(said.lines().all(|line| line.starts_with("ab")), "{said}");
}

#[test]
fn the_best_of_several_is_the_likeliest() {
    let desk = Desk::new();
    let said = desk.sample(&["--best-of", "6", "--count", "2", "--until", r"\n"]);
    let best = desk.lines(2, 6);
    assert_eq!(
        said.lines().map(str::to_owned).collect::<Vec<_>>(),
        best.iter().map(|line| line.trim()).collect::<Vec<_>>()
    );
    let author = Author::of_image(desk.image.model().unwrap(), Settings::default());
    let wanted = Wanted {
        length: 1_000,
        until: vec!['\n'],
        best_of: 2, // so that surprisal is measured
        ..Wanted::default()
    };
    let mut pieces = Pieces::new(author, wanted, 1);
    let all: Vec<_> = (0..6).map(|_| pieces.write(|_| Ok(())).unwrap()).collect();
    let likeliest = all
        .iter()
        .min_by(|a, b| a.nats_per_character.total_cmp(&b.nats_per_character));
    assert_eq!(likeliest.unwrap().text, best[0]);
}

#[test]
fn nothing_unseen_is_in_the_text_nor_comes_twice() {
    let desk = Desk::new();
    let often = desk.sample(&["--count", "60", "--until", r"\n"]);
    let known: HashSet<&str> = often.lines().collect();
    let list: String = known.iter().map(|line| format!("  {line} \r\n")).collect();
    std::fs::write(desk.folder.path().join("list.txt"), list).unwrap();
    let said = desk.sample(&["--unseen", "--text", "list.txt", "--count", "40"]);
    let mut seen = HashSet::new();
    assert_eq!(said.lines().count(), 40);
    for line in said.lines() {
        assert!(!known.contains(line), "{line:?} is known");
        assert!(
            !line.is_empty() && seen.insert(line),
            "{line:?} comes twice"
        );
    }
}

#[test]
fn a_model_that_has_nothing_new_to_say_is_no_endless_loop() {
    let desk = Desk::new();
    std::fs::write(desk.folder.path().join("list.txt"), "x\n").unwrap();
    // The most probable symbols are the same for every seed.
    let line = [
        "--unseen",
        "--text",
        "list.txt",
        "--count",
        "3",
        "--temperature",
        "0",
    ];
    let said = desk.refusal(&line);
    assert!(
        said.starts_with("error: found 1 of 3 texts that are new"),
        "{said}"
    );
    let said = desk.refusal(&["--unseen"]);
    assert!(said.contains("name it with --text FILE"), "{said}");
    let said = desk.refusal(&["--unseen", "--text", "nowhere.txt"]);
    assert!(said.contains("nowhere.txt"), "{said}");
}

#[test]
fn several_temperatures_stand_side_by_side_or_below_each_other() {
    let desk = Desk::new();
    let one = |temperature| desk.sample(&["--length", "60", "--temperature", temperature]);
    let below = desk.sample(&["--length", "60", "--temperature", "0.5,0.8,1.25"]);
    for temperature in ["0.5", "0.8", "1.25"] {
        let text = one(temperature);
        let block = format!(
            "# temperature {temperature}\n{}\n",
            text.trim_end_matches('\n')
        );
        assert!(below.contains(&block), "{below}");
    }
    let beside = desk.sample(&[
        "--length",
        "60",
        "--temperature",
        "0.5,1.25",
        "--wrap",
        "60",
    ]);
    let title = beside.lines().next().unwrap();
    assert!(
        title.contains("temperature 0.5") && title.contains("temperature 1.25"),
        "{beside}"
    );
    assert!(
        beside.lines().all(|line| line.chars().count() <= 60),
        "{beside}"
    );
}

#[test]
fn lines_are_wrapped_only_where_that_is_wanted() {
    let desk = Desk::new();
    let raw = desk.sample(&["--length", "2000", "--until", r"\\"]);
    assert_eq!(raw.chars().count(), 2_000);
    let wrapped = desk.sample(&["--length", "2000", "--until", r"\\", "--wrap", "7"]);
    assert!(
        wrapped.lines().all(|line| line.chars().count() <= 7),
        "{wrapped}"
    );
    let letters = |text: &str| text.replace(['\n', ' '], "");
    assert_eq!(letters(&raw), letters(&wrapped));
    assert_eq!(desk.sample(&["--length", "2000", "--wrap", "off"]), raw);
}

#[test]
fn a_guard_can_be_set_to_a_number() {
    let desk = Desk::new();
    for guard in [1, 2] {
        let number = guard.to_string();
        let text = desk.sample(&["--length", "5000", "--guard", &number]);
        let characters: Vec<char> = text.chars().collect();
        let longest = characters.chunk_by(|a, b| a == b).map(<[char]>::len).max();
        assert_eq!(longest, Some(guard));
    }
    let settings = Settings {
        temperature: Thousandths(800),
        guard: Guard::Off,
        ..Settings::default()
    };
    // A model that knows nothing of its text's streaks has no guard of its own.
    let author = Author::of_image(desk.image.model().unwrap(), settings);
    let wanted = Wanted {
        length: 300,
        ..Wanted::default()
    };
    let unguarded = Pieces::new(author, wanted, 1).next_piece().unwrap().text;
    assert_eq!(desk.sample(&["--length", "300"]), unguarded);
}

#[test]
fn what_cannot_be_meant_is_refused_in_a_sentence() {
    let desk = Desk::new();
    for (line, sentence) in [
        (
            ["--guard", "0"],
            "--guard: expected a number from 1 to 255, text or off",
        ),
        (["--until", "abcde"], "--until: expected 1 to 4 characters"),
        (["--until", ""], "--until: expected 1 to 4 characters"),
        (["--until", r"\q"], "--until: expected 1 to 4 characters"),
        (
            ["--count", "0"],
            "--count must be from 1 to 4294967295, not '0'",
        ),
        (
            ["--best-of", "0"],
            "--best-of must be from 1 to 4294967295, not '0'",
        ),
        (
            ["--wrap", "0"],
            "--wrap: it must be a number of columns, or `off`",
        ),
        (
            ["--temperature", "0.5,x"],
            "--temperature: expected a number from 0 to 65.535",
        ),
    ] {
        let said = desk.refusal(&line);
        assert!(said.contains(sentence), "{line:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn json_tells_of_each_text_what_it_follows_from_and_its_checksum() {
    let desk = Desk::new();
    let line = [
        "--prompt",
        "ab",
        "--length",
        "40",
        "--temperature",
        "0.5,1.25",
        "--seed",
        "7",
    ];
    let json = desk.sample(&[&line[..], &["--json", "--count", "2"]].concat());
    let texts: serde_json::Value = serde_json::from_str(&json).unwrap();
    let texts = texts.as_array().unwrap();
    assert_eq!(texts.len(), 4);
    for (text, (temperature, seed)) in texts.iter().zip([(0.5, 7), (0.5, 8), (1.25, 7), (1.25, 8)])
    {
        assert_eq!(
            (&text["temperature"], &text["seed"]),
            (&temperature.into(), &seed.into())
        );
        let [temperature, seed] = [temperature.to_string(), seed.to_string()];
        let line = [
            "--prompt",
            "ab",
            "--length",
            "40",
            "--temperature",
            &temperature,
            "--seed",
            &seed,
        ];
        let alone = desk.sample(&line);
        assert_eq!(text["text"], alone);
        assert_eq!(text["characters"], alone.chars().count());
        let mut checksum = flate2::Crc::new();
        checksum.update(alone.as_bytes());
        assert_eq!(text["checksum"], format!("{:08x}", checksum.sum()));
    }
    assert!(desk.refusal(&["--json", "--wrap"]).contains("--wrap"));
}
