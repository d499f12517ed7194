//! One conversation: passages stream out at a set pace while console lines come in.
//!
//! [`Session::poll`] does a small piece of work and never waits for input, so text and console
//! cannot hold each other up. It knows no board; the tests run it on the PC.
//!
//! What the console says starts with a mark and `# ` at the beginning of a line; all else is text. A
//! passage is exactly what stands between the line `# start: …` and the line end before `# end: …`.
//! [`crate::protocol`] has the words.

mod clock;
mod load;
mod passage;
mod watch;

use embedded_io::Write as _;
use heapless::String;
use inkling_engine::format::Trits;
use inkling_engine::state::{MAX_STATE_WORDS, State};
use inkling_engine::{Generator, ImageError, Settings};

use crate::board::Board;
use crate::board::failure::MANY;
use crate::choice::Choice;
use crate::console::{Command, HELP, LINE_BYTES, LineEditor, LineError};
use crate::log::{info, warning};
use crate::protocol::{
    CHECKSUM, DONE_TEXT, End, GREETING, MEMORY, MODEL, NO_MODEL, PASSAGE, PAUSED, RATE, RESET,
    RESUMED, SEED, SETTINGS, SKIPPED, Shown, Start,
};
use crate::talk::{Ends, OrWord, Port};
use crate::until::Until;
use clock::Clock;
use load::Loading;
use passage::Passage;
use watch::Watch;

/// How many input bytes one [`Session::poll`] takes at most, so that a flood cannot stop the text.
const BYTES_PER_POLL: usize = 32;

/// The pace after power-up in characters per second: comfortable to read along.
const READABLE_RATE: u32 = 40;

/// The length of a passage after power-up, in characters.
const DEFAULT_LENGTH: u32 = 1000;

/// The seed after power-up where the board has no entropy.
const DEFAULT_SEED: u64 = 1;

/// A program that has run for so many seconds runs well.
const TRIAL_SECONDS: u32 = 60;
/// After how many characters a piece of the model is looked at again.
const WATCH_INTERVAL: u32 = 64;

/// How many unknown characters of a prompt are shown.
const SHOWN_UNKNOWN: usize = 8;

/// Words that a model can work in: enough for any, but on the smallest boards.
pub const MODEL_WORDS: usize = match BOARD_WORDS {
    Some(words) => words,
    None => MAX_STATE_WORDS,
};

#[cfg(feature = "board")]
const BOARD_WORDS: Option<usize> = crate::board::facts::MODEL_WORDS;
#[cfg(not(feature = "board"))]
const BOARD_WORDS: Option<usize> = None;

/// All memory of a session that is too large for a small stack; a board has it in a static variable.
#[derive(Debug)]
pub struct Memory {
    model: State<MODEL_WORDS>,
    editor: LineEditor,
    prompt: String<LINE_BYTES>,
}

impl Memory {
    /// Empty memory.
    #[must_use]
    pub const fn new() -> Self {
        Memory {
            model: State::new(),
            editor: LineEditor::new(),
            prompt: String::new(),
        }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

/// A board, a model and the conversation between them and whoever is at the serial line.
pub struct Session<'m, B: Board> {
    editor: &'m mut LineEditor,
    has_greeted: bool,
    is_well: bool,
    player: Player<'m, B>,
}

impl<'m, B: Board> Session<'m, B> {
    /// Gets the first passage ready; the first [`Session::poll`] greets. Without a model the console stays
    /// and says why.
    pub fn new(board: B, models: Choice<'m>, memory: &'m mut Memory) -> Self {
        let Memory {
            model,
            editor,
            prompt,
        } = memory;
        // Nothing is done with it here, so that it is made where it stays: a copy is much for a small stack.
        Session {
            editor,
            has_greeted: false,
            is_well: false,
            player: Player::new(board, models, model, prompt),
        }
    }

    /// Converses for ever.
    #[inline(never)]
    pub fn run(&mut self) -> ! {
        loop {
            self.poll();
        }
    }

    /// Takes the input that waits, then writes one character if one is due.
    pub fn poll(&mut self) {
        self.player.port.board.feed_watchdog();
        if self.player.port.board.has_new_reader() || !self.has_greeted {
            self.player.greet();
        }
        if !self.has_greeted {
            self.has_greeted = true;
            self.player.hold_back();
        }
        if !self.is_well && self.player.has_run_well() {
            self.is_well = true;
            self.player.port.board.is_well();
        }
        for _ in 0..BYTES_PER_POLL {
            let Some(byte) = self.player.port.read_byte() else {
                break;
            };
            if let Some(line) = self.editor.push(byte) {
                self.player.obey(line);
            }
        }
        self.player.play();
    }
}

/// Why no text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pause {
    /// It is.
    Off,
    /// Somebody said so.
    Asked,
    /// As many passages as were wanted are there: the next prompt is reason enough to go on.
    Counted,
}

/// The talking and writing half of a session; the line editor is the listening half.
struct Player<'m, B: Board> {
    port: Port<B>,
    engine: Result<Generator<'m, &'m mut State<MODEL_WORDS>>, ImageError>,
    /// Why the model is not the one that should be used.
    refused: Option<ImageError>,
    /// Whether it is one of those that are in flash by themselves.
    is_flashed: bool,
    /// Looks whether it stays sound.
    watch: Option<Watch<'m>>,
    /// A model that comes in over the line, and its bytes.
    loading: Loading,
    size: u32,
    settings: Settings,
    length: u32,
    rate: u32,
    pause: Pause,
    /// What ends a passage before its length is reached.
    until: Until,
    /// After how many passages the text pauses, 0 for never, and how many of them are left.
    batch: u32,
    left: u32,
    passage: Passage<'m>,
    clock: Clock,
    /// When the next character may be written.
    due: u64,
    /// Time spent computing characters and their number, since power-up.
    busy: u64,
    computed: u32,
}

impl<'m, B: Board> Player<'m, B> {
    // A frame of its own, so that its temporaries are gone when the greeting needs the stack.
    #[inline(never)]
    fn new(
        mut board: B,
        models: Choice<'m>,
        state: &'m mut State<MODEL_WORDS>,
        prompt: &'m mut String<LINE_BYTES>,
    ) -> Self {
        let settings = Settings::default();
        let seed = board.entropy().unwrap_or(DEFAULT_SEED);
        let clock = Clock::new(board.ticks());
        if let Some(store) = board.store() {
            store.set_in_use(models.in_use());
        }
        let watch = models.model.ok();
        let watch = watch.map(|model| Watch::new(models.image, model.checksum()));
        let mut player = Player {
            port: Port::new(board),
            engine: models
                .model
                .and_then(|model| Generator::new(model, state, settings, seed)),
            refused: models.refused,
            is_flashed: models.start.is_some(),
            watch,
            loading: Loading::default(),
            size: 0,
            settings,
            length: DEFAULT_LENGTH,
            rate: READABLE_RATE,
            pause: Pause::Off,
            until: Until::OFF,
            batch: 0,
            left: 0,
            passage: Passage::new(prompt),
            clock,
            due: 0,
            busy: 0,
            computed: 0,
        };
        player.begin(seed);
        player
    }

    #[inline(never)]
    fn greet(&mut self) {
        let version = env!("CARGO_PKG_VERSION");
        self.port
            .say(format_args!("{GREETING}{version} on {}", B::NAME));
        self.describe_failure();
        if let Some(error) = self.refused {
            let used = match self.is_flashed {
                true => "the one before it",
                false => "the program's own",
            };
            self.port.say(format_args!(
                "the flashed model is not used: {error}; {used} follows"
            ));
        }
        self.describe_model();
        self.port.say(format_args!(
            "type a line and it becomes the start of a new passage; /help lists the commands"
        ));
    }

    #[inline(never)]
    fn describe_failure(&mut self) {
        if let Some(failure) = self.port.board.failure() {
            self.port.say(format_args!("{failure}"));
        }
    }

    /// Writes no text after many failures in a row: it may be the text that the program fails of.
    #[inline(never)]
    fn hold_back(&mut self) {
        let failure = self.port.board.failure();
        if failure.is_some_and(|failure| failure.in_a_row >= MANY) {
            self.pause = Pause::Asked;
            self.port.say(format_args!(
                "{PAUSED}, for it keeps failing; /resume writes all the same"
            ));
        }
    }

    fn has_run_well(&self) -> bool {
        self.clock.now() >= u64::from(B::TICKS_PER_SECOND) * u64::from(TRIAL_SECONDS)
    }

    fn describe_model(&mut self) {
        match &self.engine {
            Ok(generator) => {
                let model = generator.model();
                self.port.say(format_args!(
                    "{MODEL}{}, {} symbols, {} x {} units, weights of {}, {} bytes{CHECKSUM}{:08x}",
                    model.name(),
                    model.symbols(),
                    model.layers(),
                    model.hidden(),
                    Trits(model.dimensions().planes.recurrent),
                    model.image_bytes(),
                    model.checksum(),
                ));
                info!("model of {} bytes", model.image_bytes());
            }
            Err(error) => {
                self.port.say(format_args!("{NO_MODEL}{error}"));
                warning!("no model: the linked image is not valid");
            }
        }
    }

    #[inline(never)]
    fn obey(&mut self, line: Result<&str, LineError>) {
        match line.map(Command::parse) {
            // While a model comes in, these are what noise has made of its parts.
            Ok(Ok(Command::Prompt(_)) | Err(_)) | Err(_) if self.is_loading() => self.take(""),
            Ok(Ok(command)) => self.carry_out(command),
            Ok(Err(error)) => self.port.say(format_args!("{error}")),
            Err(error) => {
                warning!("console line thrown away");
                self.port.say(format_args!("{error}"));
            }
        }
        self.port.write(DONE_TEXT);
    }

    #[inline(never)]
    fn carry_out(&mut self, command: Command<'_>) {
        match command {
            Command::Prompt(text) => self.prompt(text),
            Command::Help => {
                for line in HELP {
                    self.port.say(format_args!("{line}"));
                }
            }
            Command::Temperature(temperature) => {
                self.settings.temperature = temperature;
                self.apply_settings();
            }
            Command::TopK(count) => {
                self.settings.top_k = count;
                self.apply_settings();
            }
            Command::TopP(probability) => {
                self.settings.top_p = probability;
                self.apply_settings();
            }
            Command::Guard(guard) => {
                self.settings.guard = guard;
                self.apply_settings();
            }
            Command::Until(until) => {
                self.until = until;
                self.port.say(format_args!("until {until}"));
            }
            Command::Count(count) => {
                self.batch = count;
                self.left = count;
                self.port
                    .say(format_args!("count {}", OrWord(count, "endless")));
            }
            Command::Seed(seed) => {
                self.passage.prompt.clear();
                self.start_batch();
                self.begin(seed);
                self.port.say(format_args!("{SEED}{seed}"));
            }
            Command::Length(length) => {
                self.length = length;
                self.port
                    .say(format_args!("length {}", OrWord(length, "endless")));
            }
            Command::Rate(rate) => {
                self.rate = rate;
                self.due = self.clock.now();
                self.port.say(format_args!("rate {}", OrWord(rate, "max")));
            }
            Command::Pause => {
                self.pause = Pause::Asked;
                self.port.say(format_args!("{PAUSED}"));
            }
            Command::Resume => {
                self.pause = Pause::Off;
                self.port.say(format_args!("{RESUMED}"));
            }
            Command::Reset => {
                let seed = self.passage.seed;
                self.start_batch();
                self.begin(seed);
                self.port.say(format_args!("{RESET}{SEED}{seed}"));
            }
            Command::Stats => self.describe_progress(),
            Command::Model => self.describe_model(),
            Command::BootLoader => self.start_boot_loader(),
            Command::Load { bytes, checksum } => self.load(bytes, checksum),
            Command::GiveUp => self.give_up(),
            Command::Data(parcel) => self.take(parcel),
        }
    }

    /// The end of the program, where there is a boot loader.
    #[inline(never)]
    fn start_boot_loader(&mut self) {
        if !self.port.board.has_boot_loader() {
            return self.port.say(format_args!(
                "this board has no boot loader that a program can start"
            ));
        }
        self.port.say(format_args!("the boot loader starts"));
        let _ = self.port.board.serial().flush();
        self.port.board.start_boot_loader();
    }

    fn apply_settings(&mut self) {
        if let Ok(generator) = &mut self.engine {
            generator.set_settings(self.settings);
        }
        self.port.say(format_args!("{}", Shown(self.settings)));
    }

    #[inline(never)]
    fn describe_progress(&mut self) {
        let Passage {
            seed, generated, ..
        } = self.passage;
        let speed = self.speed();
        self.port.say(format_args!(
            "{PASSAGE}{SEED}{seed}, {generated} of {} characters, {speed} characters/s{}",
            OrWord(self.length, "endless"),
            if self.pause == Pause::Off {
                ""
            } else {
                ", paused"
            },
        ));
        self.port.say(format_args!(
            "{SETTINGS}{}{RATE}{}{}",
            Shown(self.settings),
            OrWord(self.rate, "max"),
            Ends(self.until, self.batch),
        ));
        let computed = self.computed;
        let microseconds = self.busy.saturating_mul(1_000_000)
            / u64::from(B::TICKS_PER_SECOND)
            / u64::from(computed.max(1));
        self.port.say(format_args!(
            "engine: {microseconds} microseconds a character over {computed} characters",
        ));
        let engine = self.engine.as_ref().ok();
        if let Some(bits) = engine.and_then(|engine| engine.surprisal().bits_per_char()) {
            self.port
                .say(format_args!("surprisal: about {bits} bits/char lately"));
        }
        if let Some(bytes) = self.port.board.deepest_stack() {
            self.port
                .say(format_args!("{MEMORY}{bytes} bytes of stack at most"));
        }
    }

    /// Starts a passage with the known characters of `text`.
    #[inline(never)]
    fn prompt(&mut self, text: &str) {
        let Ok(generator) = &self.engine else {
            return self.describe_model();
        };
        let alphabet = generator.model().alphabet();
        let seed = match self.passage.is_begun() {
            true => self.passage.seed.wrapping_add(1),
            false => self.passage.seed,
        };
        let mut shown: String<{ 4 * SHOWN_UNKNOWN }> = String::new();
        let mut unknown = 0_usize;
        self.passage.prompt.clear();
        for c in text.chars() {
            // Neither string can overflow: a prompt is one line, and few unknown ones are shown.
            if alphabet.knows(c) {
                let _ = self.passage.prompt.push(c);
            } else {
                if unknown < SHOWN_UNKNOWN {
                    let _ = shown.push(c);
                }
                unknown += 1;
            }
        }
        if unknown > 0 {
            let more = if unknown > SHOWN_UNKNOWN { "…" } else { "" };
            self.port.say(format_args!("{SKIPPED}{shown}{more}"));
        }
        self.start_batch();
        self.begin(seed);
        if self.pause == Pause::Asked {
            self.port.say(format_args!("{PAUSED}"));
        }
    }

    /// Counts passages from here on, and ends the pause behind the last ones.
    fn start_batch(&mut self) {
        self.left = self.batch;
        if self.pause == Pause::Counted {
            self.pause = Pause::Off;
        }
    }

    /// Gets a passage ready with the prompt that `self.passage` holds.
    #[inline(never)]
    fn begin(&mut self, seed: u64) {
        self.passage.seed = seed;
        self.passage.rewind();
        if let Ok(generator) = &mut self.engine {
            generator.restart(seed);
        }
        self.due = self.clock.now();
        info!("passage with seed {}", seed);
    }

    /// Writes the next character if it is due.
    fn play(&mut self) {
        let before = self.clock.now();
        let now = self.clock.update(self.port.board.ticks());
        if self.holds_text() || self.pause != Pause::Off || self.engine.is_err() {
            return;
        }
        if self.passage.started {
            self.passage.elapsed += now - before;
        }
        if now < self.due {
            return;
        }
        if let Some(interval) = u64::from(B::TICKS_PER_SECOND).checked_div(self.rate.into()) {
            // A character that comes late does not make the following ones hurry.
            self.due = now.max(self.due + interval);
        }
        if !self.passage.started {
            self.announce();
        }
        let ends = self.write_next();
        self.look_after_model();
        if ends || (self.length != 0 && self.passage.generated >= self.length) {
            self.finish();
        }
    }

    /// Looks now and then whether the model in use is still what it was. A start finds the next one that is
    /// sound.
    fn look_after_model(&mut self) {
        let is_due = self.computed.is_multiple_of(WATCH_INTERVAL);
        let Some(watch) = self.watch.as_mut().filter(|_| is_due) else {
            return;
        };
        if !watch.look() {
            self.engine = Err(ImageError::Corrupted);
            self.port.say(format_args!(
                "{}: the board restarts and uses the next sound one",
                ImageError::Corrupted
            ));
            self.restart();
        }
    }

    #[inline(never)]
    fn announce(&mut self) {
        self.passage.started = true;
        let start = Start {
            seed: self.passage.seed,
            settings: self.settings,
        };
        self.port.say(format_args!("{start}"));
    }

    /// Writes a character; says whether it is one that ends the passage.
    fn write_next(&mut self) -> bool {
        let Ok(generator) = &mut self.engine else {
            return false;
        };
        let rest = self.passage.prompt.get(self.passage.prompted..);
        let (c, ends) = match rest.and_then(|rest| rest.chars().next()) {
            Some(c) => {
                generator.prompt_char(c);
                self.passage.prompted += c.len_utf8();
                self.passage.ending.read();
                (c, false)
            }
            None => {
                self.passage.generated = self.passage.generated.saturating_add(1);
                let c = generator.next_char();
                (c, self.passage.ending.ends_with(self.until.holds(c)))
            }
        };
        let start = self.clock.now();
        let end = self.clock.update(self.port.board.ticks());
        self.busy += end - start;
        self.passage.elapsed += end - start;
        self.computed = self.computed.saturating_add(1);
        self.port.write_char(c);
        self.port.show_activity(self.computed);
        ends
    }

    #[inline(never)]
    fn finish(&mut self) {
        let Passage {
            seed, generated, ..
        } = self.passage;
        let end = End {
            seed,
            characters: generated,
            speed: self.speed(),
        };
        self.port.break_row();
        self.port.say(format_args!("{end}"));
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            self.passage.prompt.clear();
        }
        self.begin(seed.wrapping_add(1));
        if self.batch != 0 && self.left == 0 {
            self.left = self.batch;
            self.pause = Pause::Counted;
            self.port.say(format_args!("{PAUSED}"));
        }
    }

    /// Characters per second of the current passage so far.
    fn speed(&self) -> u64 {
        u64::from(self.passage.generated).saturating_mul(B::TICKS_PER_SECOND.into())
            / self.passage.elapsed.max(1)
    }
}
