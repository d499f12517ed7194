//! Texts as users have them: in any encoding, in several files, out of a pipe, moved since.

#![allow(clippy::unwrap_used)]
#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::Stdio;

use assert_cmd::prelude::*;
use host::corpus::{Corpus, Reading, Source, Split, gather};
use host::quantize::FloatModel;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;

mod common;
use common::training::{self, alone, job};
use common::{SMALL, contents, host, text, train};
use trainer::Trainer;
use trainer::run::Outcome;
use trainer::run::events::Event;

/// The options of a small training to its end, and some more.
fn small<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&SMALL[..], &["--steps", "3"], more].concat()
}

/// Standard output of a command that succeeds, and what it says beside it.
fn said(mut command: std::process::Command) -> (String, String) {
    let output = command.assert().success().get_output().clone();
    let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    (out, err)
}

/// The loss on the text of a run, by `eval` and by `export`.
fn losses(desk: &Path, name: &str) -> [String; 2] {
    let (eval, _) = said(host(desk, &["eval", name, "--json"]));
    let eval: serde_json::Value = serde_json::from_str(&eval).unwrap();
    let (export, _) = said(host(desk, &["export", name, "--json"]));
    let export: serde_json::Value = serde_json::from_str(&export).unwrap();
    [&eval, &export["losses"]].map(|losses| losses["engine_loss_nats"].to_string())
}

#[test]
fn a_text_out_of_a_pipe_can_be_resumed_and_measured() {
    let desk = tempfile::tempdir().unwrap();
    let desk = desk.path();
    fs::write(desk.join("a.txt"), text(80)).unwrap();
    let from_stdin = |args: &[&str]| {
        let mut command = train(desk, args);
        command.stdin(fs::File::open(desk.join("a.txt")).unwrap());
        command
    };
    let (out, _) = said(from_stdin(&small(&["--text", "-"])));
    assert!(out.contains("training 'text' on standard input"), "{out}");
    assert_eq!(
        fs::read(desk.join("runs/text/text")).unwrap(),
        text(80).as_bytes()
    );

    // The names that shells give to pipes.
    let mut shell = std::process::Command::new("bash");
    let options = small(&[]).join(" ");
    let trainer = env!("CARGO_BIN_EXE_inkling-trainer");
    shell.current_dir(desk).args([
        "-c",
        &format!("{trainer} {options} --text <(cat a.txt) </dev/null"),
    ]);
    let (out, _) = said(shell);
    assert!(out.contains("training 'text-2' on a pipe"), "{out}");
    // The file that is open as standard input is not there the next time either.
    let (out, _) = said(from_stdin(&small(&["--text", "/dev/stdin"])));
    assert!(out.contains("training 'text-3'"), "{out}");

    fs::remove_file(desk.join("a.txt")).unwrap();
    for name in ["text", "text-2", "text-3"] {
        let [eval, export] = losses(desk, name);
        assert_eq!(eval, export);
        train(desk, &["--resume", name, "--steps", "5"])
            .stdin(Stdio::null())
            .assert()
            .success()
            .stdout(contains("trained 5 steps"));
    }
}

#[test]
fn your_own_text_is_measured_all_over_and_a_recipe_that_is_named_has_its_way() {
    let desk = tempfile::tempdir().unwrap();
    let desk = desk.path();
    fs::write(desk.join("a.txt"), text(200)).unwrap();
    for (more, measured) in [
        (&[][..], "in 8 places spread over the text"),
        (&["--validation", "last"], "as one stream"),
        (&["--recipe", "quick"], "as one stream"),
        (
            &["--recipe", "quick", "--validation", "spread"],
            "in 8 places",
        ),
    ] {
        let named = ["--text", "a.txt", "--name", "n", "--overwrite"];
        let options = small(&[&named[..], more].concat());
        said(train(desk, &options));
        let (out, _) = said(host(desk, &["eval", "n"]));
        assert!(out.contains(measured), "{more:?}: {out}");
        // The same text under another name is read as it was for training.
        let (again, _) = said(host(desk, &["eval", "n", "--text", "a.txt"]));
        assert_eq!(again, out);
        let [eval, export] = losses(desk, "n");
        assert_eq!(eval, export);
        let card = fs::read_to_string(desk.join("weights/n.md")).unwrap();
        assert!(card.contains(measured), "{card}");
    }
    let mut of_recipe = train(desk, &["--print-recipe"]);
    of_recipe
        .assert()
        .success()
        .stdout(contains("validation = \"last\""));
}

#[test]
fn a_model_is_set_beside_what_a_reader_knows() {
    let desk = tempfile::tempdir().unwrap();
    let desk = desk.path();
    fs::write(desk.join("a.txt"), text(300)).unwrap();
    let (out, _) = said(train(desk, &small(&["--text", "a.txt"])));
    let lines: Vec<&str> = out.lines().collect();
    for told in [
        "compressors  gzip ",
        "words        ",
        "copies       runs of ",
    ] {
        assert!(lines.iter().any(|line| line.starts_with(told)), "{out}");
    }
    let (eval, _) = said(host(desk, &["eval", "a", "--compare"]));
    assert_eq!(eval.lines().next_back(), lines.last().copied());
    let (eval, _) = said(host(desk, &["eval", "a", "--compare", "--json"]));
    let eval: serde_json::Value = serde_json::from_str(&eval).unwrap();
    let ppmd = &eval["comparison"]["compressors"]["ppmd_bits"];
    // Sentences of few words: a compressor that has read many of them knows them well.
    assert!((0.1..1.5).contains(&ppmd.as_f64().unwrap()), "{eval}");
    let report = fs::read_to_string(desk.join("runs/a/report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(&report["comparison"]["compressors"]["ppmd_bits"], ppmd);
    let page = fs::read_to_string(desk.join("runs/a/report.html")).unwrap();
    assert!(page.contains("PPMd") && page.contains("words that the text has"));
    // Without being asked for it stays a quick measurement.
    let (eval, _) = said(host(desk, &["eval", "a"]));
    assert!(!eval.contains("PPMd"), "{eval}");
}

#[test]
fn lists_books_and_rare_characters_are_read_alike_from_training_to_eval() {
    let desk = tempfile::tempdir().unwrap();
    let desk = desk.path();
    let header =
        "The Project Gutenberg eBook of Cats\n*** START OF THE PROJECT GUTENBERG EBOOK CATS ***\n";
    let words = |n: u32| format!("{}{}", char::from_u32(0x430 + n % 120).unwrap(), n * n % 97);
    let list: Vec<String> = (0..900).map(words).collect();
    fs::write(desk.join("a.txt"), header.to_owned() + &list.join("\n")).unwrap();
    let options = [
        "--text",
        "a.txt",
        "--unicode",
        "--shuffle",
        "lines",
        "--min-count",
        "8",
    ];
    let (out, err) = said(train(desk, &small(&options)));
    let all = out + &err;
    assert!(all.contains("Project Gutenberg's header"), "{all}");
    assert!(all.contains("are read as '�'"), "{all}");
    assert!(!all.contains("--shuffle"), "{all}");
    let [eval, export] = losses(desk, "a");
    assert_eq!(eval, export);
    let (of_run, _) = said(host(desk, &["eval", "a"]));
    let (of_file, _) = said(host(desk, &["eval", "a", "--text", "a.txt"]));
    assert_eq!(of_run, of_file);
    train(desk, &["--resume", "a", "--steps", "5"])
        .assert()
        .success()
        .stdout(contains("trained 5 steps"));
    for refused in [
        &["--resume", "a", "--unwrap"][..],
        &["--text", "a.txt", "--max-symbols", "3"],
        &["--text", "a.txt", "--min-count", "0"],
        &["--text", "a.txt", "--keep", "everything"],
        &["--text", "a.txt", "--shuffle", "words"],
    ] {
        train(desk, refused).assert().failure();
    }
}

#[test]
fn a_text_that_moved_is_named_again_and_no_other_one_is_taken() {
    let desk = tempfile::tempdir().unwrap();
    let desk = desk.path();
    fs::create_dir_all(desk.join("old/texts")).unwrap();
    fs::write(desk.join("old/texts/1.txt"), text(50)).unwrap();
    fs::write(desk.join("old/texts/2.txt"), text(30)).unwrap();
    fs::write(desk.join("other.txt"), text(81)).unwrap();
    train(desk, &small(&["--text", "old/texts"]))
        .assert()
        .success();
    fs::rename(desk.join("old"), desk.join("new")).unwrap();
    let before = contents(desk);

    let resume = |more: &[&str]| {
        train(
            desk,
            &[&["--resume", "texts", "--steps", "5"], more].concat(),
        )
    };
    resume(&[])
        .assert()
        .failure()
        .stderr(contains("cannot find the text").and(contains("--text")));
    resume(&["--text", "other.txt"])
        .assert()
        .failure()
        .stderr(contains("has changed").and(contains("say with --text where it is")));
    resume(&["--text", "new/texts/1.txt"]).assert().failure();
    assert!(contents(desk) == before);

    resume(&["--text", "new/texts"]).assert().success();
    // From now on it knows.
    train(desk, &["--resume", "texts", "--steps", "7"])
        .assert()
        .success()
        .stdout(contains("trained 7 steps"));
    let [eval, export] = losses(desk, "texts");
    assert_eq!(eval, export);
}

#[test]
fn a_text_is_read_the_same_whenever_a_run_needs_it() {
    let desk = tempfile::tempdir().unwrap();
    let desk = desk.path();
    let russian = "Съешь ещё этих мягких французских булок, да выпей же чаю.\n".repeat(60);
    let (bytes, _, _) = encoding_rs::KOI8_U.encode(&russian);
    fs::write(desk.join("guessed.txt"), &bytes).unwrap();
    fs::write(desk.join("named.txt"), &bytes).unwrap();
    fs::write(desk.join("utf8.txt"), &russian).unwrap();

    let (out, _) = said(train(desk, &small(&["--unicode", "--text", "guessed.txt"])));
    assert!(
        out.contains("note: 'guessed.txt' is not UTF-8 and read as KOI8-U"),
        "{out}"
    );
    train(
        desk,
        &small(&["--unicode", "--text", "named.txt", "--encoding", "koi8-u"]),
    )
    .assert()
    .success();
    train(desk, &small(&["--unicode", "--text", "utf8.txt"]))
        .assert()
        .success();
    let alphabet = |name: &str| {
        let path = desk.join(format!("runs/{name}/weights.safetensors"));
        let model = FloatModel::load(&path).unwrap();
        let reading: Reading = serde_json::from_str(&model.metadata["reading"]).unwrap();
        let source: Source = serde_json::from_str(&model.metadata["source"]).unwrap();
        assert_eq!(source.public(), Source::File(format!("{name}.txt").into()));
        (model.alphabet, reading.encoding.or(reading.guess).is_some())
    };
    let (expected, _) = alphabet("utf8");
    let expected_losses = losses(desk, "utf8");
    for name in ["guessed", "named"] {
        assert_eq!(alphabet(name), (expected.clone(), true));
        assert_eq!(losses(desk, name), expected_losses);
        train(desk, &["--resume", name, "--steps", "4"])
            .assert()
            .success();
    }
    train(
        desk,
        &small(&["--text", "utf8.txt", "--encoding", "klingon"]),
    )
    .assert()
    .failure()
    .stderr(contains("there are utf-8, utf-16le"));
    train(
        desk,
        &small(&["--text", "guessed.txt", "--encoding", "utf-8", "--lossy"]),
    )
    .assert()
    .failure()
    .stderr(contains("more than 3 %").and(contains("--encoding")));
    assert!(!desk.join("runs/guessed-2").exists());
}

#[test]
fn several_texts_and_folders_train_one_model() {
    let desk = tempfile::tempdir().unwrap();
    let desk = desk.path();
    fs::create_dir_all(desk.join("books/.git")).unwrap();
    fs::write(desk.join("books/b.txt"), text(40)).unwrap();
    fs::write(desk.join("books/a.txt"), text(30)).unwrap();
    fs::write(desk.join("books/picture.png"), b"\x89PNG\r\n\0\0\0\0").unwrap();
    fs::write(desk.join("last.txt"), text(10)).unwrap();
    let texts = ["--text", "books", "--text", "last.txt"];
    let (out, _) = said(train(desk, &small(&texts)));
    assert!(
        out.contains("training 'books' on books and 1 more"),
        "{out}"
    );
    assert!(out.contains("left out: 1 file that is no text"), "{out}");
    // A shell may have found the names.
    let listed = ["--text", "books/a.txt", "books/b.txt", "last.txt"];
    let (out, _) = said(train(desk, &small(&listed)));
    assert!(out.contains("training 'a' on a.txt and 2 more"), "{out}");
    let sha = |name: &str| {
        let path = desk.join(format!("runs/{name}/weights.safetensors"));
        let corpus = &FloatModel::load(&path).unwrap().metadata["corpus"];
        corpus.split(' ').next().unwrap().to_owned()
    };
    assert_eq!(sha("books"), sha("a"));
    // `eval` takes the same, and a pipe for several models.
    let (out, _) = said(host(desk, &[&["eval", "a", "--json"], &texts[..]].concat()));
    let (own, _) = said(host(desk, &["eval", "a", "--json"]));
    assert_eq!(out, own);
    let mut piped = host(desk, &["eval", "a", "books", "--json", "--text", "-"]);
    piped.stdin(fs::File::open(desk.join("last.txt")).unwrap());
    assert_eq!(said(piped).0.lines().count(), 2);
}

/// A text of 400 characters that are rare, with a few frequent ones between them.
fn poem() -> String {
    let rare = (0..400).filter_map(|n| char::from_u32(0x4e00 + n));
    let poem: String = rare.map(|c| format!("天地{c}，\n")).collect();
    poem.repeat(2)
}

/// What a model writes at several temperatures, with its float weights and as a board would.
fn samples(desk: &Path, name: &str) -> String {
    let mut texts = String::new();
    for model in [&[name, "--float"][..], &[name]] {
        for temperature in ["0", "0.8", "20"] {
            let settings = ["--length", "300", "--temperature", temperature];
            let (text, _) = said(host(desk, &[&["sample"], model, &settings].concat()));
            texts += &text;
        }
    }
    texts
}

#[test]
fn float_samples_and_training_never_write_what_stands_for_rare_characters() {
    let desk = tempfile::tempdir().unwrap();
    let desk = desk.path();
    fs::write(desk.join("poem.txt"), poem()).unwrap();
    let options = ["--unicode", "--text", "poem.txt", "--min-count", "3"];
    let (out, _) = said(train(desk, &small(&options)));
    assert!(
        out.contains("are read as '\u{fffd}', which the model never writes"),
        "{out}"
    );
    let (_, written) = out.split_once("it writes:").unwrap();
    assert!(!written.contains('\u{fffd}'), "{written}");
    let written = samples(desk, "poem");
    assert!(!written.contains('\u{fffd}'), "{written}");
}

#[test]
fn a_text_with_more_characters_than_symbols_is_learned_whole_and_measured_by_the_character() {
    let desk = tempfile::tempdir().unwrap();
    let desk = desk.path();
    fs::write(desk.join("poem.txt"), poem()).unwrap();
    let options = ["--unicode", "--text", "poem.txt"];
    let (out, err) = said(train(desk, &small(&options)));
    assert!(
        out.contains("different characters: the ") && out.contains("three symbols each"),
        "{out}"
    );
    assert!(
        !out.contains('\u{fffd}') && !err.contains('\u{fffd}'),
        "{out}"
    );
    let written = samples(desk, "poem");
    assert!(!written.contains('\u{fffd}'), "{written}");
    let is_spelt = |c: char| ('\u{4e00}'..'\u{5000}').contains(&c);
    assert!(written.chars().any(is_spelt), "{written}");
    assert!(written.chars().all(|c| !('\u{10fe00}'..).contains(&c)));

    let [eval, export] = losses(desk, "poem");
    assert_eq!(eval, export);
    let (out, _) = said(host(desk, &["eval", "poem", "--json", "--compare"]));
    let eval: serde_json::Value = serde_json::from_str(&out).unwrap();
    // 400 of 4,000 characters, each of which loses about what its symbols lose.
    assert_eq!(eval["characters"], 400);
    assert_eq!(eval["comparison"]["unseen"]["characters"], 400);
    let per_character = eval["symbols_per_character"].as_f64().unwrap();
    assert!((1.05..1.6).contains(&per_character), "{per_character}");
    let [nats, bits] = ["engine_loss_nats", "bits_per_char"].map(|key| eval[key].as_f64().unwrap());
    assert!((bits - nats / std::f64::consts::LN_2).abs() < 1e-9);

    let (text, _) = said(host(
        desk,
        &["sample", "poem", "--prompt", "天\u{4f80}", "--length", "5"],
    ));
    assert!(text.starts_with("天\u{4f80}"), "{text}");
    said(train(
        desk,
        &small(&[
            "--unicode",
            "--text",
            "poem.txt",
            "--from",
            "poem",
            "--name",
            "again",
        ]),
    ));
    let (health, _) = said(host(desk, &["inspect", "poem"]));
    assert!(health.contains("symbols"), "{health}");
}

#[test]
fn in_blocks_spread_over_the_text_training_and_the_reference_measure_the_same() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let mut recipe = training::small(60);
    recipe.data.validation = Split::Spread;
    recipe.quantization.start = 1.0;
    let job = job(recipe);
    // Blocks of different lengths, for there are several files.
    let files = [90, 5, 40].map(|sentences| {
        let path = dir.path().join(format!("{sentences}.txt"));
        std::fs::write(&path, text(sentences)).unwrap();
        path
    });
    let read = gather(&files, job.reading, &|_| ()).unwrap();
    let corpus = Corpus::from_text(&read, job.reading).unwrap();
    let validation = corpus.validation().clone();
    assert!(validation.places() > 3 && validation.blocks().any(|block| block.before == 256));
    let mut trainer = Trainer::new(job, corpus, tch::Device::Cpu).unwrap();
    let (outcome, events) = training::train(&mut trainer, dir.path(), None).unwrap();
    let Outcome::Finished {
        validation_loss: Some(loss),
        weights,
    } = outcome
    else {
        panic!("{outcome:?}")
    };
    let model = FloatModel::load(&weights).unwrap();
    let recomputed = model.loss(&validation, |_| ());
    assert!((recomputed - loss).abs() < 1e-4, "{recomputed} {loss}");
    // What is measured on the way follows the same protocol.
    let lowest = events.iter().filter_map(|event| match event {
        Event::Validation { loss_nats, .. } => Some(*loss_nats),
        _ => None,
    });
    let lowest = lowest.fold(f64::INFINITY, f64::min);
    assert!((lowest - loss).abs() < 1e-6, "{lowest} {loss}");
}
