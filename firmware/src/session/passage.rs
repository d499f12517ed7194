//! The passage that is being written, and how far it is.

use heapless::String;

use crate::console::LINE_BYTES;
use crate::until::Ending;

/// The passage that is being written.
pub(super) struct Passage<'m> {
    pub(super) seed: u64,
    /// The prompt, only characters that the model knows.
    pub(super) prompt: &'m mut String<LINE_BYTES>,
    /// How many bytes of the prompt are written.
    pub(super) prompted: usize,
    /// How many characters have been generated.
    pub(super) generated: u32,
    /// How long it has been running, without pauses, in ticks.
    pub(super) elapsed: u64,
    /// Whether its start has been announced.
    pub(super) started: bool,
    /// Whether it may end by now.
    pub(super) ending: Ending,
}

impl<'m> Passage<'m> {
    /// A passage that begins with what `prompt` holds.
    pub(super) fn new(prompt: &'m mut String<LINE_BYTES>) -> Self {
        Passage {
            seed: 0,
            prompt,
            prompted: 0,
            generated: 0,
            elapsed: 0,
            started: false,
            ending: Ending::default(),
        }
    }

    /// Whether any of it has been written, so that its seed is used up.
    pub(super) fn is_begun(&self) -> bool {
        self.prompted > 0 || self.generated > 0
    }

    pub(super) fn rewind(&mut self) {
        self.prompted = 0;
        self.generated = 0;
        self.elapsed = 0;
        self.started = false;
        self.ending = Ending::default();
    }
}
