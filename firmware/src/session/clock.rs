//! A board's counter as a time that does not wrap around.

/// A wrapping counter of 32 bits, extended; right as long as it is updated once per wrap.
pub(super) struct Clock {
    last: u32,
    total: u64,
}

impl Clock {
    pub(super) fn new(ticks: u32) -> Self {
        Clock {
            last: ticks,
            total: 0,
        }
    }

    pub(super) fn update(&mut self, ticks: u32) -> u64 {
        self.total += u64::from(ticks.wrapping_sub(self.last));
        self.last = ticks;
        self.total
    }

    /// The time of the last update.
    pub(super) fn now(&self) -> u64 {
        self.total
    }
}
