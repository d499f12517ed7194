//! The board's half of taking a model over the line: reads parcels, hands them to the store, and says what it
//! wants next. The text is held meanwhile, and goes on by itself when no more comes.

use inkling_engine::state::state_words;
use inkling_engine::{ImageError, Model};
use inkling_store::{StoreError, Wanted};

use super::{MODEL_WORDS, Player};
use crate::board::Board;
use crate::log::{info, warning};
use crate::protocol::{LOAD, Load, Parcel, STRIDE};

/// How long the text is held for parcels that do not come, in seconds.
const PATIENCE: u64 = 10;

/// How often a board that makes room says so, in seconds.
const NEWS: u64 = 1;

/// What the board's last words get to leave it, as a part of a second.
const FAREWELL: u64 = 8;

/// What a board without a store says.
const NO_STORE: &str = "this board's program cannot write to its flash: use `inkling flash`";

/// What is known about a model that comes in.
#[derive(Debug, Default)]
pub(super) struct Loading {
    /// The text is held for it.
    is_on: bool,
    /// When something of it last came or was said, in ticks.
    last: u64,
    /// What is wanted has been said since something else came.
    has_complained: bool,
    /// When the board restarts.
    restart: Option<u64>,
}

impl<B: Board> Player<'_, B> {
    /// Whether a model is coming in, so that a line which is no command is what noise has made of one.
    pub(super) fn is_loading(&self) -> bool {
        self.loading.is_on
    }

    /// Goes on with the model that comes in; whether the text is held for it.
    pub(super) fn holds_text(&mut self) -> bool {
        let Loading {
            is_on,
            last,
            restart,
            ..
        } = self.loading;
        let second = u64::from(B::TICKS_PER_SECOND);
        let now = self.clock.now();
        if let Some(time) = restart {
            if now >= time {
                // What is still to be said fits the time that has passed, or nobody takes it.
                let _ = embedded_io::Write::flush(self.port.board.serial());
                self.port.board.restart();
            }
            return true;
        }
        let Some(store) = self.port.board.store().filter(|_| is_on) else {
            return false;
        };
        if let Some(Wanted::Room(_)) = store.wanted() {
            self.make_room();
        } else if now - last > PATIENCE * second {
            self.let_text_go_on();
        }
        true
    }

    /// Takes a model of so many bytes with this checksum, or goes on with it.
    #[inline(never)]
    pub(super) fn load(&mut self, bytes: u32, checksum: u32) {
        // Boards without a store have none of what follows.
        let Some(store) = self.port.board.store() else {
            return self.port.say(format_args!("{LOAD}refused: {NO_STORE}"));
        };
        let is_it = |model: Model<'_>| {
            model.checksum() == checksum && model.image_bytes() == bytes as usize
        };
        if self
            .engine
            .as_ref()
            .is_ok_and(|engine| is_it(engine.model()))
        {
            self.port.say(format_args!("{}", Load::Complete(checksum)));
            return self.describe_model();
        }
        match store.begin(bytes as usize, checksum) {
            Ok(()) => {
                info!("taking a model of {} bytes", bytes);
                self.loading.is_on = true;
                self.size = bytes;
                self.ask();
            }
            Err(error) => self.refuse(error),
        }
    }

    /// Forgets the model that comes in.
    #[inline(never)]
    pub(super) fn give_up(&mut self) {
        if let Some(store) = self.port.board.store() {
            store.give_up();
            self.let_text_go_on();
        }
    }

    /// Takes a part of it, or what noise has made of one.
    #[inline(never)]
    pub(super) fn take(&mut self, text: &str) {
        let now = self.clock.now();
        let Some(store) = self.port.board.store() else {
            return;
        };
        let wanted = store.wanted();
        let Some(next) = wanted.and_then(|wanted| match wanted {
            Wanted::Header => Some(0),
            Wanted::Bytes(next) => Some(next),
            // It asks when there is.
            Wanted::Room(_) => None,
        }) else {
            if wanted.is_none() && !core::mem::replace(&mut self.loading.has_complained, true) {
                self.port.say(format_args!("{}", Load::GivenUp));
            }
            return;
        };
        let parcel = Parcel::read(text).ok();
        let Some(parcel) = parcel.filter(|parcel| parcel.offset as usize == next) else {
            if !core::mem::replace(&mut self.loading.has_complained, true) {
                self.ask();
            }
            return;
        };
        let taken = store.write(&parcel.bytes);
        let wanted = store.wanted();
        let overwrites = store.overwrites();
        self.loading.has_complained = false;
        self.loading.is_on = true;
        self.loading.last = now;
        match (taken, wanted) {
            (Err(error), _) => self.refuse(error),
            // Its place is about to be erased.
            (Ok(()), Some(Wanted::Room(_))) if overwrites => {
                self.engine = Err(ImageError::NotAnImage);
                self.watch = None;
            }
            (Ok(()), Some(Wanted::Bytes(next))) if next == self.size as usize => self.commit(),
            (Ok(()), Some(Wanted::Bytes(next))) if next.is_multiple_of(STRIDE) => self.ask(),
            _ => {}
        }
    }

    /// Says what is wanted.
    #[inline(never)]
    fn ask(&mut self) {
        self.loading.last = self.clock.now();
        let all = self.size;
        let wanted = self.port.board.store().and_then(|store| store.wanted());
        let said = match wanted {
            Some(Wanted::Header) => Load::Header(all),
            Some(Wanted::Room(blank)) => Load::Erasing((blank as u32).min(all), all),
            Some(Wanted::Bytes(next)) => Load::Wanted(next as u32, all),
            None => Load::GivenUp,
        };
        self.port.say(format_args!("{said}"));
    }

    #[inline(never)]
    fn make_room(&mut self) {
        let Some(store) = self.port.board.store() else {
            return;
        };
        let done = store.work();
        let wanted = store.wanted();
        let is_due = self.clock.now() - self.loading.last > NEWS * u64::from(B::TICKS_PER_SECOND);
        match (done, wanted) {
            (Err(error), _) => self.refuse(error),
            (Ok(()), Some(Wanted::Room(_))) if !is_due => {}
            _ => self.ask(),
        }
    }

    #[inline(never)]
    fn commit(&mut self) {
        let accept = |image: &[u8]| {
            let model = Model::parse(image)?;
            let needed = state_words(&model.dimensions());
            match needed > MODEL_WORDS {
                true => Err(ImageError::Memory {
                    needed: size_of::<u32>() * needed,
                    available: size_of::<u32>() * MODEL_WORDS,
                }),
                false => Ok(()),
            }
        };
        let Some(store) = self.port.board.store() else {
            return;
        };
        match store.commit(&accept) {
            Ok(checksum) => {
                self.port.say(format_args!("{}", Load::Complete(checksum)));
                self.restart();
            }
            Err(error) => self.refuse(error),
        }
    }

    #[inline(never)]
    fn refuse(&mut self, error: StoreError) {
        warning!("the model is refused");
        self.port.say(format_args!("{LOAD}refused: {error}"));
        self.loading.is_on = false;
        if self.is_spoilt() {
            self.restart();
        }
    }

    fn let_text_go_on(&mut self) {
        self.loading.is_on = false;
        self.port.say(format_args!("{}", Load::GivenUp));
        if self.is_spoilt() {
            self.restart();
        }
    }

    /// Whether the model in use is gone, for one that takes all of the room.
    fn is_spoilt(&self) -> bool {
        self.watch.is_none() && self.engine.is_err()
    }

    /// Restarts the board as soon as it has said what it has to.
    pub(super) fn restart(&mut self) {
        let second = u64::from(B::TICKS_PER_SECOND);
        self.loading.restart = Some(self.clock.now() + second / FAREWELL);
    }
}
