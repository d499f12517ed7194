//! What each fuzz target begins with: a few sound inputs, made anew for every run and never stored.

use std::fs;

use anyhow::Context;
use firmware::console::Command;
use firmware::protocol::{BREAK, DONE_TEXT, End, OWN, Shown, Start};
use host::device::flash::load::Load;
use host::device::flash::uf2;
use host::export::export;
use host::name::Name;
use host::quantize::InputForm;
use host::quantize::float::{FORMAT, FloatModel};
use host::recipe::Recipe;
use host::starts;
use host::synthetic::float_model;
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
pub const TARGETS: [Target; 11] = [
    target("image_bytes", "model images, as any bytes", image_bytes),
    target(
        "image",
        "sound model images of any numbers, on every kernel",
        images,
    ),
    target("console", "what a board is sent", console),
    target("protocol", "what a board says", protocol),
    target("session", "what happens to a board", sessions),
    target("uf2", "UF2 files", uf2_files),
    target("hex", "Intel hex files", hex_files),
    target("elf", "ELF files", elf_files),
    target("weights", "float weights of a run", weights),
    target("integers", "quantized tensors of a model", integers),
    target("recipe", "recipes", recipes),
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
