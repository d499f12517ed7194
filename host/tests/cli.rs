//! The commands that read models, as a user runs them: what they print and how they refuse.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

use assert_cmd::prelude::*;
use firmware::generator::Generator;
use firmware::kernels::Bits;
use firmware::sampler::Settings;
use host::image::AlignedImage;
use host::quantize::{FloatModel, Widths, quantize};
use host::synthetic::float_model;
use serde_json::Value;
use tempfile::TempDir;

/// A folder with one sound image of a made-up model.
struct Fixture {
    folder: TempDir,
    image: AlignedImage,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let parts = quantize(&float_model(65, 24, 1, 3), Widths::uniform(Bits::Eight)).unwrap();
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
        let mut command = Command::cargo_bin("host").unwrap();
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
    let mut generator = Generator::new(fixture.image.model().unwrap(), Settings::default(), 9);
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
    let parts = quantize(&model_of_rare_characters(), Widths::uniform(Bits::Eight)).unwrap();
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
    error: cannot use FOLDER/truncated.img: the model image is cut short: 3000 bytes instead of 11696
    error: cannot use FOLDER/damaged.img: the model image is damaged: its checksum does not match
    error: cannot use FOLDER/newer.img: the model image has format version 7, this program reads 2: export the model again or update the program
    error: FOLDER/longer.img: 5 bytes follow the model image: export the model again
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
    error: there is no finished run nothing: `host train` makes one, in runs/
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
    assert_eq!(report["weight_bits"], 8);
    assert_eq!(report["image_bytes"], fixture.image.bytes().len());
    let microbit = |board: &&Value| board["board"] == "microbit";
    let boards = report["boards"].as_array().unwrap();
    assert_eq!(boards.iter().find(microbit).unwrap()["fits"], true);
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
    let parts = quantize(&float_model(65, 40, 1, 4), Widths::uniform(Bits::Four)).unwrap();
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
    for title in ["engine loss", "perplexity", "blocks of 50", "cells at end"] {
        assert!(lines[0].contains(title), "{table}");
    }
    assert!(
        lines[1].contains("synthetic-24") && lines[1].contains("int8/int8"),
        "{table}"
    );
    assert!(
        lines[2].contains("synthetic-40") && lines[2].contains("int4/int4"),
        "{table}"
    );

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
