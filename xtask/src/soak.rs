//! `cargo xtask soak`: lets emulated boards write for a long time, and compares every byte with what the PC
//! predicts. Meanwhile somebody types noise, sends another model to a board that takes one, and the power goes
//! now and then. A restart that nobody asked for, a lost character or a passage out of turn ends it.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, bail};
use firmware::console::{Command, LINE_BYTES};
use firmware::protocol::{End, Parser, Said, Start};
use host::device::send::{self, Outcome};
use host::device::{self, BOARDS, Board, Emulator, Firmware, Options, Program, Wanted};
use host::engine::generator;
use host::image;
use host::paths;
use inkling_engine::sampler::Rng;
use inkling_engine::{AlignedImage, Model, Settings};

/// The characters of a passage.
const LENGTH: u32 = 1000;

/// The seed of the first passage; the board counts on from it.
const FIRST_SEED: u64 = 1;

/// How long the slowest emulator may be silent.
const PATIENCE: Duration = Duration::from_secs(600);

/// How often progress is reported.
const REPORT_INTERVAL: Duration = Duration::from_secs(60);

/// So many passages are written between two cuts of the power, in the mean.
const PASSAGES_A_BOOT: u32 = 8;

/// So many between two uploads.
const PASSAGES_AN_UPLOAD: u32 = 12;

/// The model that is sent to a board that takes one, in turn with that of the program.
const SENT: &str = "shakespeare-32k";

/// Options of `soak`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The emulated board
    #[arg(long, default_value = device::DEFAULT_BOARD)]
    board: String,

    /// Each board that can be emulated, one after the other
    #[arg(long, conflicts_with_all = ["board", "usb"])]
    all: bool,

    /// How long each writes
    #[arg(long, value_name = "N", default_value_t = 30)]
    minutes: u64,

    /// End after so many passages, if that is sooner
    #[arg(long, value_name = "N")]
    passages: Option<u64>,

    /// Type nothing and leave the power on
    #[arg(long)]
    calm: bool,

    /// Of noise and power cuts, to repeat a failure [default: another one each time]
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,

    /// Listen at the USB port of a board that has one beside its UART
    #[arg(long)]
    usb: bool,

    /// The model image [default: weights/shakespeare-64k.img]
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
}

/// Runs `soak`.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let boards: Vec<&Board> = match args.all {
        true => BOARDS
            .iter()
            .filter(|board| board.emulator.is_some())
            .collect(),
        false => vec![device::find(&args.board)?],
    };
    let path = args.model.clone().unwrap_or_else(paths::default_model);
    let image = image::open(&path)?;
    let sent = image::open(&paths::weights_dir().join(format!("{SENT}.img")))?;
    let by_time = || {
        SystemTime::UNIX_EPOCH
            .elapsed()
            .map_or(0, |time| time.as_secs())
    };
    let seed = args.seed.unwrap_or_else(by_time);
    for board in boards {
        let firmware = Firmware::build(board, &path, Program::Console)?;
        if !args.calm {
            println!("{}: noise and power cuts of --seed {seed}", board.name);
        }
        let options = Options {
            usb: args.usb,
            ..Options::default()
        };
        let models = match board.takes_models {
            true => vec![&image, &sent],
            false => vec![&image],
        };
        let random = (!args.calm).then(|| Rng::new(seed));
        let mut soak = Soak::start(&firmware, options, models, random)?;
        let start = Instant::now();
        let mut report = REPORT_INTERVAL;
        let time = Duration::from_secs(60 * args.minutes);
        while start.elapsed() < time
            && args
                .passages
                .is_none_or(|passages| soak.passages < passages)
        {
            soak.passage()
                .with_context(|| format!("{} has gone astray at seed {}", board.name, soak.seed))?;
            if start.elapsed() >= report {
                println!("{} minutes: {}", report.as_secs() / 60, soak.sums());
                report += REPORT_INTERVAL;
            }
        }
        println!(
            "{}: {} in {:.1} minutes, all as predicted",
            board.name,
            soak.sums(),
            start.elapsed().as_secs_f64() / 60.0
        );
    }
    Ok(())
}

/// A board that writes.
struct Soak<'m> {
    firmware: &'m Firmware,
    options: Options<'m>,
    /// That of the program, and one that may be sent to it.
    models: Vec<&'m AlignedImage>,
    /// Which of them it writes with.
    in_use: usize,
    emulator: Emulator,
    parser: Parser,
    /// None where nothing disturbs it.
    random: Option<Rng>,
    /// Of the next passage.
    seed: u64,
    passages: u64,
    boots: u64,
    lines: u64,
    uploads: u64,
}

impl<'m> Soak<'m> {
    fn start(
        firmware: &'m Firmware,
        options: Options<'m>,
        models: Vec<&'m AlignedImage>,
        random: Option<Rng>,
    ) -> anyhow::Result<Self> {
        let mut soak = Self {
            firmware,
            options,
            models,
            in_use: 0,
            emulator: Emulator::start(firmware, options)?,
            parser: Parser::new(),
            random,
            seed: FIRST_SEED,
            passages: 0,
            boots: 0,
            lines: 0,
            uploads: 0,
        };
        soak.set_up()?;
        Ok(soak)
    }

    fn sums(&self) -> String {
        let characters = self.passages * u64::from(LENGTH);
        let Self { boots, lines, .. } = self;
        let uploads = match self.uploads {
            0 => String::new(),
            uploads => format!(", {uploads} models sent"),
        };
        format!("{characters} characters, {boots} boots, {lines} lines of noise{uploads}")
    }

    /// A number below another; 1 where nothing disturbs the board.
    fn below(&mut self, end: u32) -> u32 {
        self.random
            .as_mut()
            .map_or(1, |random| random.next_u32() % end)
    }

    /// Takes the power away and gives it back. The emulated flash begins anew, so that what was sent is gone.
    fn cut_power(&mut self) -> anyhow::Result<()> {
        self.emulator = Emulator::start(self.firmware, self.options)?;
        self.in_use = 0;
        self.set_up()
    }

    /// Sends the next model, with which the board restarts.
    fn send_a_model(&mut self) -> anyhow::Result<()> {
        let next = (self.in_use + 1) % self.models.len();
        let image = self.models[next].bytes();
        let outcome = send::send(&mut self.emulator, image, |_| ControlFlow::Continue(()))?;
        if outcome != Outcome::Sent {
            bail!("a model that the board did not write with was not sent: {outcome:?}");
        }
        self.in_use = next;
        self.uploads += 1;
        self.set_up()
    }

    /// Lets the board begin with the next passage.
    fn set_up(&mut self) -> anyhow::Result<()> {
        self.boots += 1;
        self.parser = Parser::new();
        self.emulator.pause(&mut self.parser)?;
        for command in [
            Command::Rate(0),
            Command::Length(LENGTH),
            Command::Seed(self.seed),
            Command::Resume,
        ] {
            self.emulator.send_line(&command.to_string())?;
        }
        let resumed = Wanted {
            name: "resumed",
            is: |said| said == Said::Resumed,
        };
        self.hear(resumed, &mut Vec::new())?;
        Ok(())
    }

    /// Waits for a line, and collects the text before it.
    fn hear(&mut self, wanted: Wanted<'_>, text: &mut Vec<u8>) -> anyhow::Result<String> {
        let collect = |piece: &[u8]| {
            text.extend(piece);
            ControlFlow::Continue(())
        };
        let line = self
            .emulator
            .listen(&mut self.parser, PATIENCE, wanted, collect)?;
        line.context("the board is no longer listened to")
    }

    /// One passage, with what disturbs it.
    fn passage(&mut self) -> anyhow::Result<()> {
        if self.below(PASSAGES_A_BOOT) == 0 {
            self.cut_power()?;
        }
        if self.models.len() > 1 && self.below(PASSAGES_AN_UPLOAD) == 0 {
            self.send_a_model()?;
        }
        // What a board says by itself: anything else is an answer.
        let of_itself = Wanted {
            name: "start",
            is: |said| {
                matches!(
                    said,
                    Said::Start(_) | Said::End(_) | Said::Greeting(_) | Said::NoModel(_)
                )
            },
        };
        let settings = Settings::default();
        let start = Start {
            seed: self.seed,
            settings,
        };
        let line = self.hear(of_itself, &mut Vec::new())?;
        if Said::read(&line) != Said::Start(start) {
            bail!("it says {line:?} instead of {:?}", start.to_string());
        }
        let mut text = Vec::new();
        if self.random.is_some() {
            self.type_noise()?;
        }
        let line = self.hear(of_itself, &mut text)?;
        let Said::End(End {
            seed, characters, ..
        }) = Said::read(&line)
        else {
            bail!("it says {line:?} in a passage");
        };
        if (seed, characters) != (self.seed, LENGTH) {
            bail!("the passage ends with {line:?}");
        }
        compare(&String::from_utf8_lossy(&text), &self.predicted()?)?;
        self.passages += 1;
        self.seed += 1;
        if self.random.is_some() && self.power_goes_in_a_passage() {
            self.cut_power_in_a_passage()?;
        }
        Ok(())
    }

    /// Types some lines while the board writes.
    fn type_noise(&mut self) -> anyhow::Result<()> {
        for _ in 0..self.below(3) {
            let pause = u64::from(self.below(20));
            std::thread::sleep(Duration::from_millis(pause));
            let noise = self.noise();
            self.emulator.send(&noise)?;
            self.lines += 1;
        }
        Ok(())
    }

    fn power_goes_in_a_passage(&mut self) -> bool {
        self.below(2 * PASSAGES_A_BOOT) == 0
    }

    /// Lets the next passage begin, and takes the power away in it; it is written again from its beginning.
    fn cut_power_in_a_passage(&mut self) -> anyhow::Result<()> {
        let mut rest = self.below(LENGTH) as usize;
        let some = |piece: &[u8]| {
            rest = rest.saturating_sub(piece.len());
            match rest {
                0 => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        };
        let end = Wanted {
            name: "end",
            is: |said| matches!(said, Said::End(_)),
        };
        self.emulator
            .listen(&mut self.parser, PATIENCE, end, some)?;
        self.cut_power()
    }

    /// A line that changes nothing: no command, no text, or a question.
    fn noise(&mut self) -> Vec<u8> {
        let length = self.below(2 * LINE_BYTES as u32) as usize;
        let mut line = match self.below(5) {
            0 => b"/stats".to_vec(),
            1 => b"/model".to_vec(),
            // More than a line can be.
            2 => [b"/", &vec![b'x'; LINE_BYTES + length][..]].concat(),
            // No UTF-8.
            3 => vec![0xff; 1 + length % LINE_BYTES],
            _ => {
                let letters = (0..length % 40).map(|_| b'a' + self.below(26) as u8);
                let mut line = b"/no-".to_vec();
                line.extend(letters);
                line
            }
        };
        line.push(b'\n');
        line
    }

    /// What the board is to print of the passage.
    fn predicted(&self) -> anyhow::Result<String> {
        let model: Model<'_> = self.models[self.in_use].model()?;
        let mut generator = generator(model, Settings::default(), self.seed);
        Ok((0..LENGTH).map(|_| generator.next_char()).collect())
    }
}

/// Fails with the place where `printed` is not `expected`.
fn compare(printed: &str, expected: &str) -> anyhow::Result<()> {
    if printed == expected {
        return Ok(());
    }
    let same = printed
        .chars()
        .zip(expected.chars())
        .take_while(|(printed, expected)| printed == expected)
        .count();
    let rest = |text: &str| text.chars().skip(same).take(60).collect::<String>();
    bail!(
        "after {same} characters it printed {:?} instead of {:?}",
        rest(printed),
        rest(expected)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_shown_where_it_begins() {
        assert!(compare("to be", "to be").is_ok());
        let error = compare("to bee or", "to be or").expect_err("they differ");
        assert_eq!(
            error.to_string(),
            "after 5 characters it printed \"e or\" instead of \" or\""
        );
        assert!(compare("to be", "to be or").is_err());
    }
}
