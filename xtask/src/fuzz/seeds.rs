//! What each fuzz target begins with: a few sound inputs, made anew for every run and never stored.

use std::fs;

use anyhow::Context;
use firmware::console::Command;
use firmware::protocol::{BREAK, DONE_TEXT, End, OWN, Shown, Start};
use host::checkpoint::{self, HEADER_KEY, Header, Job, NETWORKS, Progress, STATES};
use host::compare::{Comparison, Compressors, Writing};
use host::corpus::{Reading, Source, Standard};
use host::device::flash::load::Load;
use host::device::flash::uf2;
use host::device::{BOARDS, Prospect};
use host::export::export;
use host::name::Name;
use host::quantize::InputForm;
use host::quantize::float::{FORMAT, FloatModel};
use host::recipe::{BackendKind, Recipe};
use host::report::{Export, Point, Report, Sample, State, TextStatistics};
use host::starts;
use host::synthetic::float_model;
use host::tensors::Archive;
use inkling_engine::anything::{image, settings};
use inkling_engine::format::Planes;
use inkling_engine::sampler::Rng;
use inkling_engine::writer::made_up;

use super::elf;

/// Bytes of an image to begin with: libFuzzer mostly changes a few at a time.
const IMAGE_BYTES: usize = 3_000;

/// How many of what is made of a seed.
const COUNT: u64 = 12;

/// A target of `fuzz/Cargo.toml`.
#[derive(Debug)]
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// What it is given.
    pub reads: &'static str,
    make: fn() -> anyhow::Result<Vec<Vec<u8>>>,
}

impl Target {
    /// The inputs that it begins with.
    pub fn seeds(&self) -> anyhow::Result<Vec<Vec<u8>>> {
        (self.make)().with_context(|| format!("no inputs for {}", self.name))
    }
}

/// All of them, in the order of `fuzz/Cargo.toml`.
pub const TARGETS: [Target; 14] = [
    target("image_bytes", "model images, as any bytes", image_bytes),
    target(
        "image",
        "sound model images of any numbers, on every kernel",
        images,
    ),
    target("console", "what a board is sent", console),
    target("protocol", "what a board says", protocol),
    target("session", "what happens to a board", sessions),
    target("store", "what is sent to a store of models", stores),
    target("uf2", "UF2 files", uf2_files),
    target("hex", "Intel hex files", hex_files),
    target("elf", "ELF files", elf_files),
    target("weights", "float weights of a run", weights),
    target("integers", "quantized tensors of a model", integers),
    target("recipe", "recipes", recipes),
    target("checkpoint", "checkpoints of a run", checkpoints),
    target("report", "reports of runs", reports),
];

const fn target(
    name: &'static str,
    reads: &'static str,
    make: fn() -> anyhow::Result<Vec<Vec<u8>>>,
) -> Target {
    Target { name, reads, make }
}

fn image_bytes() -> anyhow::Result<Vec<Vec<u8>>> {
    let any = (0..COUNT).map(|seed| image(seed, IMAGE_BYTES));
    let images = any.chain([made_up(9, 12, 2, 1)]);
    Ok(images.map(|image| image.bytes().to_vec()).collect())
}

/// The first eight bytes are the settings' seed.
fn images() -> anyhow::Result<Vec<Vec<u8>>> {
    let images = (0_u64..).zip(image_bytes()?);
    let with_seed = images.map(|(seed, image)| [&seed.to_le_bytes()[..], &image].concat());
    Ok(with_seed.collect())
}

fn lines() -> anyhow::Result<Vec<String>> {
    let mut lines: Vec<String> = [
        Command::Prompt("MARIANA: "),
        Command::Prompt("/ what"),
        Command::Help,
        Command::TopK(5),
        Command::Seed(u64::MAX),
        Command::Length(30),
        Command::Rate(0),
        Command::Until(r".!\n".parse()?),
        Command::Count(2),
        Command::Pause,
        Command::Resume,
        Command::Reset,
        Command::Stats,
        Command::Model,
        Command::BootLoader,
    ]
    .iter()
    .map(Command::to_string)
    .collect();
    let mut random = Rng::new(1);
    for _ in 0..COUNT {
        let settings = settings(&mut random);
        lines.push(Command::Temperature(settings.temperature).to_string());
        lines.push(Command::TopP(settings.top_p).to_string());
        lines.push(Command::Guard(settings.guard).to_string());
    }
    Ok(lines)
}

fn console() -> anyhow::Result<Vec<Vec<u8>>> {
    let lines = lines()?;
    let mut inputs: Vec<Vec<u8>> = vec![lines.join("\r\n").into_bytes()];
    inputs.extend(lines.iter().map(|line| format!("{line}\n").into_bytes()));
    inputs.push("x".repeat(300).into_bytes());
    inputs.push("añ日\u{8}\u{7f}b\u{15}c\n".into());
    Ok(inputs)
}

fn protocol() -> anyhow::Result<Vec<Vec<u8>>> {
    let mut random = Rng::new(1);
    let mut inputs = Vec::new();
    for seed in 0..COUNT {
        let settings = settings(&mut random);
        let start = Start { seed, settings };
        let (characters, speed) = (random.next_u32(), random.next_u32().into());
        let end = End {
            seed,
            characters,
            speed,
        };
        let shown = Shown(settings);
        let said = format!(
            "{OWN}{start}\nSome text,{BREAK}{OWN}settings: {shown}, rate max\n{DONE_TEXT} and{BREAK}{OWN}{end}\n"
        );
        inputs.push(said.into_bytes());
    }
    let greeting = format!(
        "{OWN}Inkling 0.1.0 on pico\n{OWN}model: owl, 65 symbols, 1 x 9 units, checksum 0badcafe\n"
    );
    inputs.push(greeting.into_bytes());
    Ok(inputs)
}

/// An event is two bytes: what happens, and how much of it.
fn sessions() -> anyhow::Result<Vec<Vec<u8>>> {
    let typed = |line: &str| {
        let line = format!("{line}\n");
        [&[0, line.len() as u8], line.as_bytes(), &[8, 20]].concat()
    };
    let mut inputs: Vec<Vec<u8>> = lines()?.iter().map(|line| typed(line)).collect();
    for port in [[3, 0], [3, 6], [4, 0], [4, 1], [4, 2]] {
        let clock = [5, 200, 6, 100, 245, 255, 7, 0, 8, 255];
        inputs.push([&port[..], &clock, &typed("/rate 200"), &typed("ab")].concat());
    }
    Ok(inputs)
}

/// An event is two bytes, as for sessions; see `fuzz/src/store.rs` for which.
fn stores() -> anyhow::Result<Vec<Vec<u8>>> {
    let whole = |model| [13, model];
    let by_steps = |model| [[0, model], [3, 255], [4, 255], [7, 1]].concat();
    let mut inputs = vec![
        whole(0).to_vec(),
        by_steps(1),
        [whole(0), whole(4), [9, 0], whole(1)].concat(),
    ];
    // After two models, a third is cut off, does not hold, or fails, sooner or later.
    for model in [2, 4] {
        for event in [10, 26, 42] {
            for operations in [0, 1, 5, 20, 60] {
                let before = [whole(0), [9, 0], whole(1), [9, 0], [event, operations]];
                inputs.push([before.concat(), by_steps(model), by_steps(model)].concat());
            }
        }
    }
    // Its record is cut off, does not hold, or fails.
    for event in [10, 26, 42] {
        let before = [whole(0), [9, 0], [0, 1], [3, 255], [4, 255]];
        inputs.push([&before.concat()[..], &[event, 0, 7, 1, 9, 0]].concat());
    }
    for place in [0, 31, 63, 127] {
        inputs.push([whole(0), whole(1), [11, place], whole(2)].concat());
    }
    inputs.push([[0, 3], [3, 255], [4, 9], [6, 70], [4, 255], [7, 1], [8, 0]].concat());
    inputs.push([&[2, 77, 12, 4][..], b"INKL", &[1, 9, 12, 2, 1, 2, 3, 9]].concat());
    Ok(inputs)
}

fn loads() -> anyhow::Result<Vec<Load>> {
    let mut loads = Vec::new();
    for parts in [
        &[(0x1000_0000, 300)][..],
        &[(0, 10), (0xFFF8, 40), (0x2_0000, 1)],
        &[(0x1000_0100, 200), (0x1010_0010, 600)],
        &[(0xFFFF_FF00, 0xFF)],
    ] {
        let mut load = Load::default();
        for &(address, length) in parts {
            load.insert(address, &vec![0xA5; length])?;
        }
        loads.push(load);
    }
    Ok(loads)
}

fn uf2_files() -> anyhow::Result<Vec<Vec<u8>>> {
    let loads = loads()?;
    let families = [0xE48B_FF56, 0xE48B_FF59, uf2::ABSOLUTE];
    // A block is enough to begin with: whole sectors have sixteen of them that are alike.
    let one = |family| {
        let mut file = loads
            .first()
            .map_or_else(Vec::new, |load| uf2::encode(load, family));
        file.truncate(uf2::BLOCK_BYTES);
        file[24..28].copy_from_slice(&1_u32.to_le_bytes());
        file
    };
    let mut inputs: Vec<_> = families.map(one).into();
    inputs.push(inputs.concat());
    inputs.extend(loads.iter().map(|load| uf2::encode(load, families[0])));
    Ok(inputs)
}

fn hex_files() -> anyhow::Result<Vec<Vec<u8>>> {
    let mut inputs = vec![
        b":020000021200EA\n:0400000300003800C1\n:0300300002337A1E\n:00000001FF\n".to_vec(),
        b":04000005000000CD2A\n:00000001FF\n".to_vec(),
    ];
    for load in loads()? {
        inputs.push(load.to_hex()?.into_bytes());
    }
    Ok(inputs)
}

fn elf_files() -> anyhow::Result<Vec<Vec<u8>>> {
    let image = made_up(3, 4, 1, 1);
    Ok(vec![
        elf::firmware(0x1000_0000, "pico", image.bytes()),
        elf::firmware(0, "microbit", &image.bytes()[..64]),
    ])
}

/// A small model as a training would leave it.
fn model(layers: usize) -> FloatModel {
    let mut model = float_model(6, 4, layers, 3);
    let alphabet = model.alphabet.iter().collect();
    for (key, text) in [("format", FORMAT.to_owned()), ("alphabet", alphabet)] {
        model.metadata.insert(key.to_owned(), text);
    }
    model
}

/// What a function writes into a folder of its own.
fn written(
    write: impl Fn(usize, &std::path::Path) -> anyhow::Result<std::path::PathBuf>,
) -> anyhow::Result<Vec<Vec<u8>>> {
    let folder = tempfile::tempdir()?;
    (1..=2)
        .map(|layers| Ok(fs::read(write(layers, folder.path())?)?))
        .collect()
}

fn weights() -> anyhow::Result<Vec<Vec<u8>>> {
    written(|layers, folder| Ok(starts::save(&model(layers), &Name::like("seed"), folder)?))
}

fn integers() -> anyhow::Result<Vec<Vec<u8>>> {
    written(|layers, folder| {
        let form = [InputForm::Folded, InputForm::Embedded][layers % 2];
        let kept = (Planes::uniform(2), form);
        let model = model(layers);
        Ok(export(&model, &Name::like("seed"), kept, folder, None, |_| ())?.tensors)
    })
}

fn recipes() -> anyhow::Result<Vec<Vec<u8>>> {
    let mut inputs = vec![
        b"inherits = \"quick\"\n[model]\nhidden = 9\n[length]\nminutes = 0.5\n".to_vec(),
        b"inherits = \"nowhere.toml\"\n".to_vec(),
    ];
    for name in Recipe::names() {
        inputs.push(Recipe::find(name)?.to_toml().into_bytes());
        inputs.push(format!("inherits = \"{name}\"\nseed = 1\n").into_bytes());
    }
    Ok(inputs)
}

/// A few points of a learning curve.
fn curve() -> Vec<Point> {
    let point = |n: u32| Point {
        step: u64::from(n) * 50,
        seconds: f64::from(n) * 1.5,
        loss_nats: (n > 0).then(|| 1.5 + 1.0 / f64::from(n)),
        validation_loss_nats: n.is_multiple_of(2).then_some(1.625),
    };
    (0..7).map(point).collect()
}

fn sample() -> Sample {
    Sample {
        step: 50,
        text: "It is\nan owl.".to_owned(),
    }
}

/// As the trainer writes them, of networks as small as can be.
fn checkpoints() -> anyhow::Result<Vec<Vec<u8>>> {
    let of = |layers: usize| -> anyhow::Result<Vec<u8>> {
        let mut recipe = Recipe::find("quick")?;
        recipe.model.embedding = 2;
        recipe.model.hidden = 3;
        recipe.model.layers = layers as i64;
        recipe.data.batch = 2;
        let source = [
            Source::Standard(Standard::Tinyshakespeare),
            Source::File("owls.txt".into()),
        ][layers % 2]
            .clone();
        let header = Header {
            job: Job::new(Name::like("seed"), source, Reading::default(), recipe),
            progress: Progress {
                step: 50,
                seconds: 1.5,
                step_seconds: 1.25,
                best: Some((1.625, 50)),
                rounded_since: Some(40),
                curve: curve(),
                samples: vec![sample()],
            },
            corpus_sha256: "0badcafe".repeat(8),
        };
        let mut archive = Archive::default();
        archive.text("format", checkpoint::FORMAT);
        archive.text(HEADER_KEY, serde_json::to_string(&header)?);
        for prefix in NETWORKS {
            for (name, size) in checkpoint::layout(6, 2, 3, layers) {
                let numbers = vec![0.5; size.iter().product()];
                archive.numbers(format!("{prefix}{name}"), &size, &numbers);
            }
        }
        for name in STATES {
            archive.numbers(name.to_owned(), &[layers, 2, 3], &vec![0.5; layers * 6]);
        }
        Ok(archive.to_bytes()?)
    };
    (1..=2).map(of).collect()
}

/// As a run has them before its first measurement, on the way, and when all has been done with it.
fn reports() -> anyhow::Result<Vec<Vec<u8>>> {
    let writing = Writing {
        characters: 900,
        known_words: Some(0.875),
        longest_copy: 40,
        mean_copy: 5.5,
    };
    let begun = Report {
        name: "seed".to_owned(),
        state: State::Training,
        step: 0,
        done: 0.0,
        seconds: 0.0,
        parameters: 1_234,
        device: "cpu".to_owned(),
        backend: None,
        recipe: "[length]\nsteps = 9\n".to_owned(),
        text: TextStatistics {
            description: "owls.txt".to_owned(),
            sha256: "0badcafe".repeat(8),
            training_characters: 9_000,
            validation_characters: 1_000,
            symbols: vec![('e', 5_000), ('\n', 3_000), ('\u{e000}', 1_000)],
        },
        notes: vec!["the text is short".to_owned()],
        curve: Vec::new(),
        samples: Vec::new(),
        float_loss_nats: None,
        exports: Vec::new(),
        comparison: None,
    };
    let under_way = Report {
        state: State::Interrupted,
        step: 300,
        done: 0.5,
        seconds: 9.5,
        backend: Some(BackendKind::Native),
        recipe: Recipe::find("quick")?.to_toml(),
        curve: curve(),
        samples: vec![sample()],
        ..begun.clone()
    };
    let image = made_up(6, 4, 1, 1);
    let model = image.model()?;
    let finished = Report {
        state: State::Finished,
        float_loss_nats: Some(1.5),
        exports: vec![Export {
            name: "seed".to_owned(),
            weights: "2 trits".to_owned(),
            image_bytes: model.image_bytes(),
            engine_loss_nats: Some(1.625),
            float_loss_nats: Some(1.5),
            samples: Vec::new(),
            boards: BOARDS
                .iter()
                .map(|board| Prospect::of(board, &model.dimensions()))
                .collect(),
        }],
        comparison: Some(Comparison {
            compressors: Compressors {
                gzip_bits: 3.5,
                xz_bits: 3.25,
                ppmd_bits: 2.5,
                characters_before: 9_000,
            },
            written: writing,
            unseen: writing,
        }),
        ..under_way.clone()
    };
    let reports = [begun, under_way, finished];
    let mut files: Vec<_> = reports
        .iter()
        .map(serde_json::to_vec)
        .collect::<Result<_, _>>()?;
    files.push(br#"{"id":"0123456789abcdef0123456789abcdef"}"#.to_vec());
    Ok(files)
}
