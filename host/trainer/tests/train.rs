//! What training promises: it learns, it repeats itself exactly, it goes on where it stopped, and
//! it says in one sentence what went wrong.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use host::export::Sample;
use host::figures::{Figures, TRAINING_LOSS_KEY};
use host::quantize::float::FloatModel;
use host::recipe::{BackendKind, Length, Order, Recipe};
use host::report::{Export, Point, Report, State};
use trainer::run::Outcome;
use trainer::run::checkpoint::{self, Checkpoint};
use trainer::run::events::Event;
use trainer::{TrainError, Trainer};

mod common;
use common::text;
use common::training::{BACKENDS, alone, bits, by, corpus, job, small, train, trainer};

fn notes(events: &[Event]) -> String {
    let note = |event: &Event| match event {
        Event::Note { text } => Some(text.clone()),
        _ => None,
    };
    events
        .iter()
        .filter_map(note)
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn an_interrupted_and_resumed_run_equals_an_uninterrupted_one_bit_for_bit() {
    let _alone = alone();
    let text = text(60);
    let orders = [Order::Streams, Order::Chunks];
    for (backend, order) in BACKENDS.into_iter().flat_map(|b| orders.map(|o| (b, o))) {
        let mut recipe = by(backend, small(60));
        recipe.data.order = order;
        recipe.model.layers = 2;
        recipe.regularization.input_dropout = 0.1;
        recipe.regularization.output_dropout = 0.2;
        recipe.regularization.drop_connect = 0.2;
        recipe.regularization.weight_decay = 0.01;
        // Rounded from before the interruption on, or from after it.
        recipe.quantization.start = match order {
            Order::Streams => 0.25,
            Order::Chunks => 0.6,
        };

        let whole_dir = tempfile::tempdir().unwrap();
        let mut whole = trainer(&text, recipe.clone());
        train(&mut whole, whole_dir.path(), None).unwrap();

        let dir = tempfile::tempdir().unwrap();
        let mut first = trainer(&text, recipe);
        let (outcome, _) = train(&mut first, dir.path(), Some(23)).unwrap();
        assert_eq!(outcome, Outcome::Interrupted);
        assert!(!dir.path().join("weights.safetensors").exists());
        let checkpoint = Checkpoint::read(dir.path()).unwrap();
        assert_eq!(checkpoint.step(), 23);
        let mut second = checkpoint.resume(corpus(&text), tch::Device::Cpu).unwrap();
        train(&mut second, dir.path(), None).unwrap();

        assert_eq!(second.steps_done(), 60);
        assert_eq!(bits(&whole.weights()), bits(&second.weights()));
        let losses = |trainer: &Trainer| -> Vec<_> {
            let points = trainer.curve().iter();
            points
                .map(|p| (p.step, p.loss_nats, p.validation_loss_nats))
                .collect()
        };
        assert_eq!(losses(&whole), losses(&second));
        assert_eq!(whole.samples(), second.samples());
        let exported = |dir: &Path| FloatModel::load(&dir.join("weights.safetensors")).unwrap();
        assert_eq!(
            bits(&exported(whole_dir.path()).output),
            bits(&exported(dir.path()).output)
        );
    }
}

#[test]
fn the_report_shows_all_of_a_resumed_run_and_nothing_from_elsewhere() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let text = text(60).replace("owl", "<b>&\"");
    train(&mut trainer(&text, small(40)), dir.path(), Some(12)).unwrap();
    let interrupted = Report::read(dir.path()).unwrap();
    assert_eq!(
        (interrupted.state, interrupted.step),
        (State::Interrupted, 12)
    );

    let checkpoint = Checkpoint::read(dir.path()).unwrap();
    let mut second = checkpoint.resume(corpus(&text), tch::Device::Cpu).unwrap();
    train(&mut second, dir.path(), None).unwrap();
    let report = Report::read(dir.path()).unwrap();
    assert_eq!((report.state, report.step), (State::Finished, 40));
    let steps = |of: fn(&Point) -> bool| -> Vec<u64> {
        let points = report.curve.iter().filter(|point| of(point));
        points.map(|point| point.step).collect()
    };
    assert_eq!(
        steps(|point| point.loss_nats.is_some()),
        (1..=40).collect::<Vec<_>>()
    );
    assert_eq!(
        steps(|point| point.validation_loss_nats.is_some()),
        [7, 14, 21, 28, 35, 40]
    );
    assert_eq!(report.curve[..interrupted.curve.len()], interrupted.curve);
    let samples = report.samples.iter().map(|sample| sample.step);
    assert!(samples.eq([10, 20, 30, 40]));
    assert_eq!(
        report
            .text
            .symbols
            .iter()
            .map(|&(_, count)| count)
            .sum::<u64>(),
        report.text.training_characters as u64
    );

    let export = Export {
        name: "<script>".into(),
        weights: "recurrent 1 trit".into(),
        image_bytes: 12_345,
        engine_loss_nats: Some(1.25),
        float_loss_nats: Some(1.24),
        samples: vec![Sample {
            temperature: 0.5,
            prompt: "<b>once".into(),
            text: " upon".into(),
        }],
        boards: Vec::new(),
    };
    let page = Report::add_export(dir.path(), export).unwrap().unwrap();
    let page = std::fs::read_to_string(page).unwrap();
    for shown in [
        "<svg",
        "12,345",
        "1.2500",
        "+0.0100",
        "1.8034",
        "3.490",
        "<strong>&lt;b&gt;once</strong> upon",
        "hidden = 12",
        "&lt;script&gt;",
    ] {
        assert!(page.contains(shown), "{shown}");
    }
    for hidden in ["<script", "src=", "href=", "<b>", "url("] {
        assert!(!page.contains(hidden), "{hidden}");
    }
    let curve = std::fs::read_to_string(dir.path().join("curve.svg")).unwrap();
    assert_eq!(curve.matches("<circle").count(), 6);
}

#[test]
fn the_seed_and_nothing_else_decides_what_is_learned() {
    let _alone = alone();
    let text = text(60);
    for backend in BACKENDS {
        let weights = |seed| {
            let mut recipe = by(backend, small(20));
            recipe.seed = seed;
            recipe.regularization.output_dropout = 0.2;
            let mut trainer = trainer(&text, recipe);
            for _ in 0..20 {
                trainer.step().unwrap();
            }
            bits(&trainer.weights())
        };
        let first = weights(1);
        assert_eq!(first, weights(1));
        assert_ne!(first, weights(2));
    }
}

#[test]
fn a_small_model_learns_the_order_in_a_text() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let mut recipe = small(400);
    recipe.model.hidden = 32;
    recipe.data.batch = 8;
    let mut trainer = trainer(&text(400), recipe);
    let (outcome, events) = train(&mut trainer, dir.path(), None).unwrap();
    let Outcome::Finished {
        validation_loss: Some(loss),
        ..
    } = outcome
    else {
        panic!("{outcome:?}")
    };
    // Three choices of four per sentence of about 24 characters: 0.17 nats per character.
    assert!(loss < 0.35, "{loss}");
    let sample = events.iter().rev().find_map(|event| match event {
        Event::Sample { text, .. } => Some(text.clone()),
        _ => None,
    });
    let sample = sample.expect("a sample");
    assert!(
        sample.contains("the ") && sample.contains(".\n"),
        "{sample}"
    );
}

#[test]
fn the_exported_weights_have_the_loss_that_was_reported() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let mut recipe = by(BackendKind::Libtorch, small(60));
    recipe.model.layers = 2;
    recipe.quantization.start = 1.0;
    let mut trainer = trainer(&text(100), recipe.clone());
    let (outcome, _) = train(&mut trainer, dir.path(), None).unwrap();
    let Outcome::Finished {
        validation_loss: Some(loss),
        weights,
    } = outcome
    else {
        panic!("{outcome:?}")
    };
    let model = FloatModel::load(&weights).unwrap();
    let recomputed = model.loss(corpus(&text(100)).validation(), |_| ());
    assert!((recomputed - loss).abs() < 1e-4, "{recomputed} {loss}");

    let bytes = std::fs::read(&weights).unwrap();
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let strings = metadata.metadata().clone().unwrap();
    assert_eq!(strings["format"], "inkling-float-1");
    assert_eq!(strings["name"], "test");
    assert_eq!(strings["alphabet"], corpus(&text(100)).alphabet.to_string());
    assert_eq!(Recipe::from_toml(&strings["recipe"]).unwrap(), recipe);
    assert_eq!(strings["unicode"], "false");
    assert_eq!(strings["steps"], "60");
    assert_eq!(strings["validation_loss_nats"], loss.to_string());
}

#[test]
fn a_run_can_start_with_the_weights_of_another() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    train(&mut trainer(&text(100), small(30)), dir.path(), None).unwrap();
    let weights = dir.path().join("weights.safetensors");
    let from = |text: &str, recipe: Recipe| {
        let mut job = job(recipe);
        job.from = Some(weights.clone());
        Trainer::new(job, corpus(text), tch::Device::Cpu)
    };
    let mut second = from(&text(100), small(30)).unwrap();
    let first = FloatModel::load(&weights).unwrap();
    let outputs = first.output.len() + first.output_bias.len();
    let ours = second.weights();
    assert_eq!(
        ours[ours.len() - outputs..][..first.output.len()],
        first.output
    );
    let (outcome, _) = train(&mut second, &dir.path().join("second"), None).unwrap();
    let Outcome::Finished {
        validation_loss: Some(loss),
        ..
    } = outcome
    else {
        panic!("{outcome:?}")
    };
    let before = first.loss(corpus(&text(100)).validation(), |_| ());
    assert!(loss < before, "{loss} {before}");

    let mut wider = small(30);
    wider.model.hidden = 13;
    let refused = from(&text(100), wider).unwrap_err().to_string();
    assert!(refused.contains("it has 12 units"), "{refused}");
    // Another text may have other characters.
    from(&text(100).replace('m', "w"), small(30)).unwrap();
}

#[test]
fn the_shortest_texts_train_and_the_user_is_told_what_gave_way() {
    let _alone = alone();
    for (text, told) in [
        ("abc", "too short to keep a part of it"),
        ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "only one symbol"),
        (
            "to be or not to be, that is the question",
            "each step reads 2 × 16 characters",
        ),
        ("\n\n\n", "only one symbol"),
    ] {
        for order in [Order::Streams, Order::Chunks] {
            let dir = tempfile::tempdir().unwrap();
            for backend in BACKENDS {
                let mut recipe = by(backend, small(12));
                recipe.data.order = order;
                let mut trainer = trainer(text, recipe);
                let (outcome, events) = train(&mut trainer, dir.path(), None).unwrap();
                assert!(matches!(outcome, Outcome::Finished { .. }));
                let notes = notes(&events);
                assert!(notes.contains("memorise"), "{notes}");
                assert!(order == Order::Chunks || notes.contains(told), "{notes}");
            }
        }
    }
    let too_short = Trainer::new(job(small(1)), corpus("ab"), tch::Device::Cpu).unwrap_err();
    assert!(too_short.to_string().contains("only 2 characters"));
}

#[test]
fn an_exploding_loss_stops_and_keeps_the_last_good_checkpoint() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let text = text(60);
    train(&mut trainer(&text, small(10)), dir.path(), None).unwrap();
    let saved = std::fs::read(checkpoint::path(dir.path())).unwrap();

    let mut checkpoint = Checkpoint::read(dir.path()).unwrap();
    checkpoint.job.recipe.optimizer.learning_rate = 1e30;
    checkpoint.job.recipe.length = Length::Steps(500);
    let mut resumed = checkpoint.resume(corpus(&text), tch::Device::Cpu).unwrap();
    let error = train(&mut resumed, dir.path(), None)
        .unwrap_err()
        .to_string();
    assert!(error.contains("--lr"), "{error}");
    assert!(error.contains("checkpoint of step 10 is kept"), "{error}");
    assert_eq!(std::fs::read(checkpoint::path(dir.path())).unwrap(), saved);
    let report = Report::read(dir.path()).unwrap();
    assert_eq!(report.state, State::Diverged);
    let page = std::fs::read_to_string(Report::path(dir.path())).unwrap();
    assert!(page.contains("the loss exploded"));
}

#[test]
fn what_cannot_be_written_or_resumed_is_said_in_one_sentence() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let text = text(60);
    let none = Checkpoint::read(&dir.path().join("none"))
        .unwrap_err()
        .to_string();
    assert!(none.contains("no checkpoint to go on from"), "{none}");

    // A file where the folder should be: nothing can be written there.
    let blocked = dir.path().join("blocked");
    std::fs::write(&blocked, "").unwrap();
    let error = train(&mut trainer(&text, small(2)), &blocked, None).unwrap_err();
    assert!(matches!(error, TrainError::Unwritable { .. }), "{error}");

    train(&mut trainer(&text, small(2)), dir.path(), None).unwrap();
    let changed = Checkpoint::read(dir.path())
        .unwrap()
        .resume(corpus("another text, long enough"), tch::Device::Cpu)
        .unwrap_err()
        .to_string();
    assert!(changed.contains("has changed"), "{changed}");

    let path = checkpoint::path(dir.path());
    let bytes = std::fs::read(&path).unwrap();
    for damaged in [&bytes[..bytes.len() / 2], b"not a checkpoint", b""] {
        std::fs::write(&path, damaged).unwrap();
        let error = Checkpoint::read(dir.path())
            .and_then(|checkpoint| checkpoint.resume(corpus(&text), tch::Device::Cpu))
            .unwrap_err()
            .to_string();
        assert!(error.contains("cannot be used"), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn splitting_a_batch_among_workers_changes_no_more_than_rounding() {
    let _alone = alone();
    let text = text(60);
    for backend in BACKENDS {
        let weights = |workers| {
            let mut recipe = by(backend, small(5));
            recipe.data.batch = 5;
            recipe.data.workers = workers;
            recipe.regularization.input_dropout = 0.2;
            recipe.regularization.output_dropout = 0.2;
            recipe.regularization.drop_connect = 0.2;
            let mut trainer = trainer(&text, recipe);
            for _ in 0..5 {
                trainer.step().unwrap();
            }
            trainer.weights()
        };
        let one = weights(1);
        for workers in [2, 3, 5, 9] {
            let gaps = one.iter().zip(weights(workers)).map(|(a, b)| (a - b).abs());
            let gap = gaps.fold(0.0, f32::max);
            assert!(gap < 1e-4, "{backend:?}, {workers} workers: {gap}");
        }
    }
}

mod command_line {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    use assert_cmd::prelude::*;
    use predicates::str::{contains, starts_with};

    use host::corpus::{Corpus, Reading};

    use super::alone;
    use super::common::{SMALL, host, text, train};

    #[test]
    fn bad_input_gets_one_sentence_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("empty.txt"), "").unwrap();
        std::fs::write(folder.path().join("binary.txt"), b"a\0b").unwrap();
        std::fs::write(folder.path().join("noise.txt"), b"\x01\x81\x02\x8d\x03\xff").unwrap();
        std::fs::write(folder.path().join("one.txt"), "a").unwrap();
        std::fs::create_dir(folder.path().join("nothing")).unwrap();
        std::fs::write(folder.path().join("short.txt"), "ab").unwrap();
        std::fs::write(folder.path().join("owls.txt"), text(60)).unwrap();
        for (args, told) in [
            (&["--text", "none.txt"][..], "cannot find the text"),
            (&["--text", "nothing"], "there is no text in 'nothing'"),
            (&["--text", "empty.txt"], "is empty"),
            (&["--text", "binary.txt"], "looks like a binary file"),
            (&["--text", "noise.txt"], "first bad byte at offset 1"),
            (&["--text", "one.txt"], "only 1 character;"),
            (&["--text", "short.txt"], "only 2 characters"),
            (&["--hidden", "0"], "hidden is 0"),
            (&["--lr", "NaN"], "learning_rate is NaN"),
            (&["--recipe", "quik"], "there is no recipe 'quik'"),
            (&["--resume"], "there is no run to resume"),
            (&["--resume", "x"], "there is no run 'x'"),
            (
                &["--text", "owls.txt", "--budget", "1k"],
                "fits 1024 bytes; the smallest takes",
            ),
            (
                &["--text", "owls.txt", "--budget", "9k", "--planes", "6"],
                "planes is 6",
            ),
            (&["--input-planes", "0"], "input_planes is 0"),
            (&["--output-planes", "6"], "output_planes is 6"),
            (&["--round-from", "1.5"], "start is 1.5"),
            (&["--board", "abacus"], "abacus"),
        ] {
            let output = train(folder.path(), args).assert().failure();
            output
                .stderr(starts_with("error: "))
                .stderr(contains(told))
                .code(1);
        }
        assert!(!folder.path().join("runs").exists());
    }

    #[test]
    fn a_printed_recipe_holds_what_the_command_line_changed_and_can_be_used_again() {
        let folder = tempfile::tempdir().unwrap();
        let args = [
            "--recipe",
            "tutorial",
            "--hidden",
            "9",
            "--minutes",
            "2",
            "--planes",
            "2",
            "--round-from",
            "0.5",
            "--print-recipe",
        ];
        let first = train(folder.path(), &args).assert().success();
        let text = String::from_utf8(first.get_output().stdout.clone()).unwrap();
        assert!(
            text.contains("hidden = 9\n") && text.contains("minutes = 2.0\n"),
            "{text}"
        );
        assert!(
            text.contains("\nplanes = 2\n") && text.contains("start = 0.5\n"),
            "{text}"
        );
        std::fs::write(folder.path().join("mine.toml"), &text).unwrap();
        train(folder.path(), &["--recipe", "mine.toml", "--print-recipe"])
            .assert()
            .success()
            .stdout(text);
    }

    #[test]
    fn a_budget_chooses_a_model_that_fits_it() {
        let _alone = alone();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("owls.txt"), text(60)).unwrap();
        let budget = ["--text", "owls.txt", "--budget", "9k"];
        let quick = ["--steps", "3", "--batch", "2", "--seq-len", "16"];
        train(folder.path(), &[&budget[..], &quick[..]].concat())
            .assert()
            .success()
            .stderr(contains("characters and 24 symbols: "))
            .stderr(contains("units, 1 trit, an image of "))
            .stdout(contains("report.html"));
        let image = std::fs::metadata(folder.path().join("weights/owls.img")).unwrap();
        assert!((7_000..=9_216).contains(&image.len()), "{}", image.len());
        let page = std::fs::read_to_string(folder.path().join("runs/owls/report.html")).unwrap();
        assert!(page.replace(',', "").contains(&image.len().to_string()));

        let board = [
            "--text",
            "owls.txt",
            "--board",
            "microbit",
            "--print-recipe",
        ];
        train(folder.path(), &board)
            .assert()
            .success()
            .stdout(contains("planes = 1\n"))
            .stdout(contains("output_dropout = 0."));

        // Where nothing is said of size, a text gets the model that fits every board.
        let recipe = |more: &[&str]| {
            let all = [&["--text", "owls.txt", "--print-recipe"], more].concat();
            let said = train(folder.path(), &all).assert().success();
            String::from_utf8(said.get_output().stdout.clone()).unwrap()
        };
        assert_eq!(recipe(&[]), recipe(&["--budget", "64k"]));
        // What is asked for of its shape leaves room for more units, or for fewer.
        let hidden = |more: &[&str]| -> usize {
            let recipe = recipe(more);
            let mut lines = recipe.lines();
            let hidden = lines.find_map(|line| line.strip_prefix("hidden = "));
            hidden.unwrap().parse().unwrap()
        };
        let planes = ["--budget", "64k", "--input-planes", "1"];
        assert!(hidden(&planes) > hidden(&["--budget", "64k"]));
        assert!(hidden(&["--layers", "2"]) < hidden(&[]));
    }

    #[test]
    fn a_small_text_starts_from_a_model_that_knows_its_language_and_says_so() {
        let _alone = alone();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        std::fs::write(path.join("owls.txt"), text(200)).unwrap();
        std::fs::write(path.join("mice.txt"), text(30).replace("owl", "mouse")).unwrap();
        let small = ["--batch", "4", "--seq-len", "32", "--steps", "120"];
        let base = ["--text", "owls.txt", "--hidden", "20", "--no-export"];
        let base = [&base[..], &["--name", "base", "--lr", "0.02"], &small].concat();
        train(path, &base).assert().success();
        host(path, &["export", "base", "--float"])
            .assert()
            .success()
            .stdout(contains("base.float.safetensors"));

        let mice = ["--text", "mice.txt", "--budget", "9k", "--no-export"];
        let mice = [&mice[..], &small].concat();
        let of = |more: &[&str]| train(path, &[&mice[..], more].concat());
        of(&[])
            .assert()
            .success()
            .stderr(contains("so it starts from base"))
            .stderr(contains("20 units"));
        of(&["--from", "none"])
            .assert()
            .success()
            .stderr(contains("from random weights"));
        // Its float weights, its integers and its run.
        for from in ["base", "weights/base.safetensors", "runs/base"] {
            of(&["--from", from])
                .assert()
                .success()
                .stderr(contains("20 units"));
        }
        // A long text teaches a model that fills its flash more than a small one brings along.
        std::fs::remove_file(path.join("weights/base.float.safetensors")).unwrap();
        let tiny = ["--text", "owls.txt", "--hidden", "5", "--no-export"];
        let tiny = [&tiny[..], &["--name", "tiny"], &small].concat();
        train(path, &tiny).assert().success();
        host(path, &["export", "tiny", "--float"])
            .assert()
            .success();
        for (text, told) in [
            ("owls.txt", "from random weights"),
            ("mice.txt", "tried for"),
        ] {
            let long = ["--text", text, "--budget", "9k", "--no-export"];
            train(path, &[&long[..], &small].concat())
                .assert()
                .success()
                .stderr(contains(told));
        }
        of(&["--from", "bass"])
            .assert()
            .failure()
            .stderr(contains("there is no run 'bass'"));
        of(&["--from", "base", "--hidden", "24"]).assert().failure();
        of(&["--from", "base", "--budget", "1k"]).assert().failure();
    }

    #[test]
    fn passes_and_minutes_choose_the_length_and_are_looked_at_on_the_way() {
        let _alone = alone();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("owls.txt"), text(60)).unwrap();
        let of = |more: &[&str]| {
            let all = [&SMALL[..], &["--text", "owls.txt", "--json"], more].concat();
            let output = train(folder.path(), &all).assert().success();
            let lines = String::from_utf8(output.get_output().stdout.clone()).unwrap();
            let events = lines
                .lines()
                .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
            events.collect::<Vec<_>>()
        };
        let count = |events: &[serde_json::Value], kind: &str| {
            events.iter().filter(|event| event["event"] == kind).count()
        };
        let once = of(&["--passes", "1"]);
        let twice = of(&["--passes", "2"]);
        let steps = |events: &[serde_json::Value]| events[0]["steps"].as_u64().unwrap();
        assert!(steps(&twice).abs_diff(2 * steps(&once)) <= 1);
        // Their checks are spaced over the time, however many steps it takes.
        let timed = of(&["--minutes", "0.02"]);
        assert!((6..=13).contains(&count(&timed, "validation")), "{timed:?}");
        for passes in ["0", "-1", "nan", "x"] {
            train(folder.path(), &["--text", "owls.txt", "--passes", passes])
                .assert()
                .failure();
        }
    }

    /// A few sentences over and over, with a little difference.
    fn written(sentences: &[&str]) -> String {
        let order = (0..240_usize).map(|n| sentences[n * n % 7 % sentences.len()]);
        order.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn texts_of_other_scripts_train_and_are_written_back() {
        let _alone = alone();
        let russian = written(&[
            "Старый кот спит у тёплой печи.",
            "За окном идёт снег, и никто не торопится.",
            "«Куда ты?» — спросила сова; лиса не ответила.",
        ]);
        let korean = written(&[
            "고양이가 따뜻한 창가에서 잠을 잔다.",
            "밖에는 눈이 오고, 아무도 서두르지 않는다.",
            "부엉이가 물었다. \"어디로 가니?\"",
        ]);
        let emoji = written(&[
            "the 🦉 saw a 🐭 under the 🌙 ✨",
            "🐈‍⬛ naps, 🦊 runs 🏃🏽‍♀️ home 🏠",
            "snow ❄️ falls, tea ☕ is hot 🔥🔥",
        ]);
        for (name, text, ascii) in [
            ("russian", russian, "kot spit"),
            ("korean", korean, "goyangi"),
            ("emoji", emoji, "the "),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(format!("{name}.txt"));
            std::fs::write(&path, &text).unwrap();
            let file = path.to_str().unwrap();
            let small = [
                "--text",
                file,
                "--hidden",
                "24",
                "--batch",
                "4",
                "--seq-len",
                "32",
            ];
            let small = [&small[..], &["--steps", "150", "--overwrite"]].concat();
            for unicode in [true, false] {
                let flag: &[&str] = if unicode { &["--unicode"] } else { &[] };
                train(folder.path(), &[&small[..], flag].concat())
                    .assert()
                    .success()
                    .stdout(contains("engine loss"));
                let image = format!("weights/{name}.img");
                let mut sample = host(folder.path(), &["sample", &image, "--length", "400"]);
                let written = sample.assert().success().get_output().stdout.clone();
                let written = String::from_utf8(written).unwrap();
                assert_eq!(written.chars().count(), 400);
                if unicode {
                    assert!(written.chars().all(|c| text.contains(c)), "{written}");
                    assert!(!written.is_ascii(), "{written}");
                } else {
                    assert!(written.is_ascii(), "{written}");
                    let transliterated =
                        Corpus::from_bytes(name, text.clone().into_bytes(), Reading::default());
                    let corpus = transliterated.unwrap();
                    let symbols = corpus.training().iter();
                    let read: String = symbols.filter_map(|&s| corpus.alphabet.char(s)).collect();
                    assert!(read.contains(ascii), "{read}");
                }
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn ctrl_c_saves_a_run_that_survives_until_it_is_resumed_and_exported() {
        let _alone = alone();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("owls.txt"), text(60)).unwrap();
        let mut child = train(
            folder.path(),
            &[
                &SMALL[..],
                &["--text", "owls.txt", "--steps", "1000000", "--json"],
            ]
            .concat(),
        )
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut next = |event: &str| {
            lines.by_ref().find_map(|line| {
                let value: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
                (value["event"] == event).then_some(value)
            })
        };
        assert_eq!(next("start").unwrap()["hidden"], 8);
        next("step").expect("some steps");
        let id = child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-INT", &id])
                .status()
                .unwrap()
                .success()
        );
        let end = next("end").expect("an end");
        assert_eq!(end["interrupted"], true);
        assert_eq!(child.wait().unwrap().code(), Some(130));

        let steps = (end["step"].as_u64().unwrap() + 5).to_string();
        train(folder.path(), &["--resume", "owls", "--steps", &steps])
            .assert()
            .success()
            .stdout(contains(format!("trained {steps} steps")))
            .stdout(contains("engine loss"));
        assert!(folder.path().join("weights/owls.img").exists());
    }
}

#[test]
fn weights_know_the_figures_of_the_text_that_they_learned_from() {
    let _alone = alone();
    let text = "def run(self):\n        return    self.run\n".repeat(200);
    let folder = tempfile::tempdir().unwrap();
    let mut trainer = trainer(&text, small(12));
    train(&mut trainer, folder.path(), None).unwrap();
    let model = FloatModel::load(&folder.path().join("weights.safetensors")).unwrap();
    let symbols = model.alphabet.len();
    let figures = Figures::in_metadata(&model.metadata, symbols).expect("they are there");
    assert_eq!(
        figures,
        Figures::of(trainer.corpus().training(), &trainer.corpus().alphabet)
    );
    let blank = model.alphabet.iter().position(|&c| c == ' ').unwrap();
    assert_eq!(figures.longest[blank], 8);
    let loss: f64 = model.metadata[TRAINING_LOSS_KEY].parse().unwrap();
    assert!((0.5..6.0).contains(&loss), "{loss}");
}
