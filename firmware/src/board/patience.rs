//! Waiting for hardware that may never be ready: long enough once, and then no more until it is.
//!
//! It knows neither port nor clock, so that the PC can test it.

use core::task::Poll;

/// Whether something is still worth waiting for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Patience {
    is_spent: bool,
}

impl Patience {
    /// All of it.
    #[must_use]
    pub const fn new() -> Self {
        Patience { is_spent: false }
    }

    /// Tries until there is an answer, but no longer than so many ticks of the clock. Whoever was waited
    /// for in vain is tried once a call from then on, until there is an answer again.
    pub fn wait<T>(
        &mut self,
        ticks: u32,
        mut clock: impl FnMut() -> u32,
        mut attempt: impl FnMut() -> Poll<T>,
    ) -> Option<T> {
        let mut start = None;
        loop {
            if let Poll::Ready(answer) = attempt() {
                self.is_spent = false;
                return Some(answer);
            }
            if !self.is_spent {
                let now = clock();
                let start = *start.get_or_insert(now);
                self.is_spent = now.wrapping_sub(start) >= ticks;
            }
            if self.is_spent {
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICKS: u32 = 1_000;

    /// Hardware that is ready now and then, and the clock that passes while it is asked.
    struct Hardware {
        now: u32,
        asked: u32,
        is_ready: bool,
    }

    fn wait(patience: &mut Patience, hardware: &mut Hardware) -> Option<u32> {
        let hardware = core::cell::RefCell::new(hardware);
        let clock = || {
            let mut hardware = hardware.borrow_mut();
            hardware.now = hardware.now.wrapping_add(1);
            hardware.now
        };
        patience.wait(TICKS, clock, || {
            let mut hardware = hardware.borrow_mut();
            hardware.asked += 1;
            match hardware.is_ready {
                true => Poll::Ready(hardware.asked),
                false => Poll::Pending,
            }
        })
    }

    #[test]
    fn what_is_never_ready_is_waited_for_once() {
        let mut patience = Patience::new();
        // Just before the clock wraps around.
        let mut hardware = Hardware {
            now: u32::MAX - 10,
            asked: 0,
            is_ready: false,
        };
        assert_eq!(wait(&mut patience, &mut hardware), None);
        assert_eq!(hardware.asked, TICKS + 1);
        for again in 1..=1_000 {
            assert_eq!(wait(&mut patience, &mut hardware), None);
            assert_eq!(hardware.asked, TICKS + 1 + again);
        }
    }

    #[test]
    fn what_is_ready_again_is_waited_for_again() {
        let mut patience = Patience::new();
        let mut hardware = Hardware {
            now: 0,
            asked: 0,
            is_ready: false,
        };
        assert_eq!(wait(&mut patience, &mut hardware), None);
        hardware.is_ready = true;
        assert!(wait(&mut patience, &mut hardware).is_some());
        (hardware.is_ready, hardware.asked) = (false, 0);
        assert_eq!(wait(&mut patience, &mut hardware), None);
        assert_eq!(hardware.asked, TICKS + 1);
    }
}
