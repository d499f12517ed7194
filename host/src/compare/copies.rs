//! How much of a text stands in another one, character for character.
//!
//! The shorter text becomes a suffix automaton: its states are the strings that occur in it, grouped by
//! where they end. The long one is then read once, so that texts of any length take little time and no
//! memory.

/// Runs that a text has in common with another one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Copied {
    /// The longest one.
    pub longest: usize,
    /// In the mean, when each begins where the one before it ended.
    pub mean: f64,
}

/// What of `text` stands in `source`, both of so many `symbols`. Runs are counted in characters, which begin
/// where `begins` says so.
#[must_use]
pub fn copied(text: &[u8], source: &[u8], symbols: usize, begins: &[bool]) -> Copied {
    let mut automaton = Automaton::of(text, symbols);
    automaton.read(source);
    let ends = automaton.longest_at_ends(text);
    let (mut runs, mut begin) = (0_usize, 0);
    for (index, &length) in ends.iter().enumerate() {
        // What begins where the run does and ends here is not in the source any more.
        if length < index + 1 - begin {
            runs += usize::from(begin < index);
            begin = index;
            // A symbol that is nowhere in the source is a run of its own.
            if length == 0 {
                runs += 1;
                begin += 1;
            }
        }
    }
    runs += usize::from(begin < text.len());
    // Characters up to each symbol.
    let mut characters = vec![0; text.len() + 1];
    for (index, &begins) in begins.iter().enumerate().take(text.len()) {
        characters[index + 1] = characters[index] + usize::from(begins);
    }
    let lengths = ends.iter().enumerate();
    let lengths =
        lengths.map(|(index, length)| characters[index + 1] - characters[index + 1 - length]);
    Copied {
        longest: lengths.max().unwrap_or(0),
        mean: characters[text.len()] as f64 / runs.max(1) as f64,
    }
}

const NONE: u32 = u32::MAX;

struct Automaton {
    symbols: usize,
    /// `[states × symbols]`: the next state.
    next: Vec<u32>,
    states: Vec<State>,
}

/// All strings that end in the same places of the text, each a suffix of the longest.
#[derive(Clone, Copy)]
struct State {
    longest: usize,
    /// The state of the longest suffix that ends in more places.
    link: u32,
    /// The longest of its strings that is in the source; 0 for none.
    found: usize,
}

impl Automaton {
    fn of(text: &[u8], symbols: usize) -> Self {
        let mut automaton = Self {
            symbols,
            next: Vec::new(),
            states: Vec::new(),
        };
        automaton.state(0);
        let mut last = 0;
        for &symbol in text {
            last = automaton.extend(last, symbol);
        }
        automaton
    }

    fn state(&mut self, longest: usize) -> u32 {
        let state = self.states.len() as u32;
        self.next.resize(self.next.len() + self.symbols, NONE);
        self.states.push(State {
            longest,
            link: NONE,
            found: 0,
        });
        state
    }

    fn next(&mut self, state: u32, symbol: u8) -> &mut u32 {
        &mut self.next[state as usize * self.symbols + usize::from(symbol)]
    }

    /// Adds a symbol to the text whose whole is the state `last`; returns that of the new whole.
    fn extend(&mut self, last: u32, symbol: u8) -> u32 {
        let new = self.state(self.states[last as usize].longest + 1);
        let mut state = last;
        while state != NONE && *self.next(state, symbol) == NONE {
            *self.next(state, symbol) = new;
            state = self.states[state as usize].link;
        }
        if state == NONE {
            self.states[new as usize].link = 0;
            return new;
        }
        let reached = *self.next(state, symbol);
        let longest = self.states[state as usize].longest + 1;
        if self.states[reached as usize].longest == longest {
            self.states[new as usize].link = reached;
            return new;
        }
        // Of the strings of `reached` the shorter ones now end in one more place: a state of their own.
        let split = self.state(longest);
        let (from, to) = (
            reached as usize * self.symbols,
            split as usize * self.symbols,
        );
        self.next.copy_within(from..from + self.symbols, to);
        self.states[split as usize].link = self.states[reached as usize].link;
        self.states[reached as usize].link = split;
        self.states[new as usize].link = split;
        while state != NONE && *self.next(state, symbol) == reached {
            *self.next(state, symbol) = split;
            state = self.states[state as usize].link;
        }
        new
    }

    /// Marks what of the text occurs in `source`.
    fn read(&mut self, source: &[u8]) {
        let (mut state, mut length) = (0, 0);
        for &symbol in source {
            while state != 0 && *self.next(state, symbol) == NONE {
                state = self.states[state as usize].link;
                length = self.states[state as usize].longest;
            }
            match *self.next(state, symbol) {
                NONE => length = 0,
                next => {
                    state = next;
                    length += 1;
                    let found = &mut self.states[state as usize].found;
                    *found = length.max(*found);
                }
            }
        }
        // Whatever is found, all its suffixes are.
        let mut order: Vec<usize> = (0..self.states.len()).collect();
        order.sort_by_key(|&state| std::cmp::Reverse(self.states[state].longest));
        for state in order {
            let State { link, found, .. } = self.states[state];
            if found > 0 && link != NONE {
                let above = &mut self.states[link as usize];
                above.found = above.longest;
            }
        }
    }

    /// For each symbol of the text the longest string that ends there and is in the source.
    fn longest_at_ends(&mut self, text: &[u8]) -> Vec<usize> {
        let mut whole = 0;
        let mut lengths = Vec::with_capacity(text.len());
        for &symbol in text {
            whole = *self.next(whole, symbol);
            let mut state = whole;
            while state != NONE && self.states[state as usize].found == 0 {
                state = self.states[state as usize].link;
            }
            lengths.push(if state == NONE {
                0
            } else {
                self.states[state as usize].found
            });
        }
        lengths
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Of symbols that are a character each.
    fn copied(text: &[u8], source: &[u8], symbols: usize) -> Copied {
        super::copied(text, source, symbols, &vec![true; text.len()])
    }

    /// The same by looking for every string.
    fn by_looking(text: &[u8], source: &[u8]) -> Copied {
        let is_in = |part: &[u8]| {
            source
                .windows(part.len().max(1))
                .any(|window| window == part)
        };
        let longest_from = |begin: usize| {
            let lengths = (1..=text.len() - begin).take_while(|&n| is_in(&text[begin..begin + n]));
            lengths.last().unwrap_or(0)
        };
        let (mut runs, mut begin) = (0_usize, 0);
        while begin < text.len() {
            begin += longest_from(begin).max(1);
            runs += 1;
        }
        Copied {
            longest: (0..text.len()).map(longest_from).max().unwrap_or(0),
            mean: text.len() as f64 / runs.max(1) as f64,
        }
    }

    proptest! {
        #[test]
        fn runs_are_those_that_a_search_for_every_string_finds(
            text in prop::collection::vec(0_u8..3, 0..60),
            source in prop::collection::vec(0_u8..3, 0..120),
        ) {
            prop_assert_eq!(copied(&text, &source, 3), by_looking(&text, &source));
        }

        #[test]
        fn so_they_are_with_more_symbols(
            text in prop::collection::vec(0_u8..12, 0..60),
            source in prop::collection::vec(0_u8..12, 0..120),
        ) {
            prop_assert_eq!(copied(&text, &source, 12), by_looking(&text, &source));
        }
    }

    #[test]
    fn runs_are_as_long_as_the_characters_in_them() {
        let begins = [true, true, false, false, true];
        let found = super::copied(&[0, 1, 2, 1, 0], &[3, 1, 2, 1, 0], 4, &begins);
        assert_eq!((found.longest, found.mean), (2, 1.5));
    }

    #[test]
    fn what_is_learned_by_heart_is_one_long_copy() {
        let source: Vec<u8> = (0..10_000_u32).map(|n| (n * n / 7 % 31) as u8).collect();
        let found = copied(&source[3_000..5_000], &source, 31);
        assert_eq!((found.longest, found.mean), (2_000, 2_000.0));
        assert_eq!(copied(&[], &source, 31).longest, 0);
        assert_eq!(
            copied(&[1, 1], &[], 31),
            Copied {
                longest: 0,
                mean: 1.0
            }
        );
    }
}
