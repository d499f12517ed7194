//! Settings that suit a text: how long to learn from it, how fast, and how much to drop.
//!
//! They follow from four numbers: characters to learn from, weights, whether those start from a model
//! that knows the language, and the time there is. Larger models learn more slowly and with more of them
//! dropped; a text that is short for its model is read fewer times, with more dropped still, since a
//! model with more weights than characters learns it by heart. The numbers were fitted to trainings on
//! texts of several languages and kinds; `weights/README.md` has the table.

use super::{Keep, Length, Model, Recipe};

/// Steps that the averaged weights remember, as a part of all.
const AVERAGED_PART: f64 = 1.0 / 24.0;

/// Measurements in a run, and samples.
const MEASUREMENTS: f64 = 12.0;
const SAMPLES: f64 = 4.0;

/// Measurements in a row that are clearly worse than the best one, after which a run ends.
const PATIENCE: usize = 3;

/// The most steps where nothing is said of size or time: two minutes on two cores, for a model of 64 KiB.
pub const SHORT: u64 = 2_400;

/// Pulls weights towards zero, in every training that suits a text.
const WEIGHT_DECAY: f64 = 0.1;

/// How often a text is read at most, from random weights.
const FRESH_PASSES: f64 = 40.0;

/// The same from a model that writes like the text: at least, and for each character per weight.
const NEAR_PASSES: f64 = 6.0;
const NEAR_PASSES_FOR_PLENTY: f64 = 2.0;

/// The learning rate of a training from a model that writes like the text, as a part of a fresh one's: with
/// so few characters for each weight, and what each factor of e more of them adds.
const NEAR_RATE: f64 = 0.055;
const FEW: f64 = 0.08;
const NEAR_RATE_FOR_PLENTY: f64 = 0.044;

/// Bits per character of a model on a text that it has never seen: of its own language and style, and of
/// another language.
const NEAR_BITS: f64 = 1.9;
const FAR_BITS: f64 = 3.0;

/// Characters for each weight of which no more has to be dropped than of any more, what scarcity adds (for
/// each factor of e), and the most that is dropped.
const PLENTY: f64 = 4.0;
const DROPPED_MORE: f64 = 0.19;
const MOST_DROPPED: f64 = 0.5;

/// The loss beside PPMd's of a model that knew how to write like the text before: with one character for each
/// weight, what each factor of e more of them adds, and how far off that may be. A compressor remembers all
/// that it has read; a model has only so much room.
const EXPECTED_NEAR: f64 = 0.895;
const EXPECTED_NEAR_FOR_PLENTY: f64 = 0.056;
const EXPECTED_NEAR_MARGIN: f64 = 0.06;

/// The same of one that knew nothing, which learns too little of a text with fewer characters than those that
/// are best.
const EXPECTED_FAR: f64 = 0.96;
const EXPECTED_FAR_FOR_PLENTY: f64 = 0.09;
const EXPECTED_FAR_MARGIN: f64 = 0.12;
const EXPECTED_FAR_BEST: f64 = 1.65;

/// The least and the most characters for each weight of which that is known.
const EXPECTED_PLENTY: [f64; 2] = [0.01, 100.0];

/// What the weights start from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Start {
    /// Random ones.
    Fresh,
    /// Those of a model of another text.
    Trained {
        /// The loss of that model on the text, in bits per character.
        bits: f64,
    },
}

impl Start {
    /// How much is still to be learned, from 0 for a model that writes like the text to 1 for one that
    /// knows nothing of it.
    fn distance(self) -> f64 {
        match self {
            Self::Fresh => 1.0,
            Self::Trained { bits } => ((bits - NEAR_BITS) / (FAR_BITS - NEAR_BITS)).clamp(0.0, 1.0),
        }
    }

    /// What is `near` for a model that writes like the text and `far` for one that knows nothing of it.
    fn between(self, near: f64, far: f64) -> f64 {
        near + self.distance() * (far - near)
    }
}

/// What settings have to suit.
#[derive(Debug, Clone, Copy)]
pub struct Conditions {
    /// Characters to learn from.
    pub characters: usize,
    /// Symbols of the alphabet.
    pub symbols: usize,
    /// What the weights start from.
    pub start: Start,
    /// The most steps that the time allows.
    pub most_steps: Option<u64>,
}

/// Settings for a text that is long for a model of so many cells.
struct Anchor {
    hidden: f64,
    learning_rate: f64,
    output_dropout: f64,
    drop_connect: f64,
    steps: f64,
}

/// Sizes and dropping of the recipes `32k` to `512k`, and a model too small to learn anything by heart.
const ANCHORS: [Anchor; 6] = [
    anchor(16.0, 0.02, 0.0, 0.0, 3_000.0),
    anchor(140.0, 0.02, 0.03, 0.0, 16_000.0),
    anchor(220.0, 0.02, 0.06, 0.0, 16_000.0),
    anchor(340.0, 0.0145, 0.13, 0.05, 12_000.0),
    anchor(510.0, 0.011, 0.20, 0.10, 12_000.0),
    anchor(745.0, 0.008, 0.28, 0.18, 10_000.0),
];

const fn anchor(
    hidden: f64,
    learning_rate: f64,
    output_dropout: f64,
    drop_connect: f64,
    steps: f64,
) -> Anchor {
    Anchor {
        hidden,
        learning_rate,
        output_dropout,
        drop_connect,
        steps,
    }
}

/// The fewest steps of a training from a model that writes like the text, and from random weights.
const LEAST_STEPS: [f64; 2] = [24.0, 200.0];

/// Sets all that depends on the text, the size of the model, and the time.
pub fn suit(recipe: &mut Recipe, conditions: &Conditions) {
    let Conditions {
        characters,
        symbols,
        start,
        most_steps,
    } = *conditions;
    let at = |of: fn(&Anchor) -> f64| interpolate(recipe.model.hidden as f64, of);
    let anchor = Anchor {
        hidden: 0.0,
        learning_rate: at(|anchor| anchor.learning_rate),
        output_dropout: at(|anchor| anchor.output_dropout),
        drop_connect: at(|anchor| anchor.drop_connect),
        steps: at(|anchor| anchor.steps),
    };
    // Characters for each weight: with few, the model learns the text by heart.
    let plenty = characters as f64 / weights(&recipe.model, symbols);
    let step = (recipe.data.batch * recipe.data.seq_len) as f64;
    let near_passes = (NEAR_PASSES + NEAR_PASSES_FOR_PLENTY * plenty).min(FRESH_PASSES);
    let passes = start.between(near_passes, FRESH_PASSES);
    let least = start.between(LEAST_STEPS[0], LEAST_STEPS[1]);
    let near_rate = NEAR_RATE + NEAR_RATE_FOR_PLENTY * (plenty / FEW).max(1.0).ln();
    let rate = start.between(near_rate, near_rate.max(1.0)) * anchor.learning_rate;
    // What a model brings along it need not learn by heart.
    let more = start.between(0.0, dropped_more(plenty));
    let output_dropout = (anchor.output_dropout + more).min(MOST_DROPPED);
    let steps = (passes * characters as f64 / step)
        .max(least)
        .min(anchor.steps);
    let steps = two_digits(steps);
    recipe.length = Length::Steps(most_steps.map_or(steps, |most| steps.min(most).max(1)));
    recipe.optimizer.learning_rate = rounded(rate, 1e4);
    recipe.regularization.output_dropout = rounded(output_dropout, 1e2);
    recipe.regularization.drop_connect = rounded(anchor.drop_connect, 1e2);
    recipe.regularization.weight_decay = WEIGHT_DECAY;
    recipe.report.keep = Keep::Best;
    recipe.report.patience = PATIENCE;
    space(recipe);
}

/// How much more is dropped of a text with so few characters for each weight.
fn dropped_more(plenty: f64) -> f64 {
    DROPPED_MORE * (PLENTY / plenty).max(1.0).ln()
}

/// The loss to expect of a model, as a part of the bits per character that PPMd needs for the same text: at
/// least and at most. A guess from trainings on texts of many kinds (`weights/README.md`); lists that count
/// something are learned better, which no compressor sees.
#[must_use]
pub fn expected(model: &Model, conditions: &Conditions) -> [f64; 2] {
    let plenty = conditions.characters as f64 / weights(model, conditions.symbols);
    let [least, most] = EXPECTED_PLENTY;
    let plenty = plenty.clamp(least, most);
    let near = EXPECTED_NEAR + EXPECTED_NEAR_FOR_PLENTY * plenty.ln();
    let far = EXPECTED_FAR + EXPECTED_FAR_FOR_PLENTY * (plenty / EXPECTED_FAR_BEST).ln().abs();
    let start = conditions.start;
    let part = start.between(near, far);
    let margin = start.between(EXPECTED_NEAR_MARGIN, EXPECTED_FAR_MARGIN);
    [part * (1.0 - margin), part * (1.0 + margin)]
}

/// Spreads measurements, samples and the memory of averaged weights over the steps of a recipe.
pub fn space(recipe: &mut Recipe) {
    let Length::Steps(steps) = recipe.length else {
        return;
    };
    let every = |parts: f64| ((steps as f64 / parts).ceil() as u64).max(1);
    recipe.report.validate_every = every(MEASUREMENTS);
    recipe.report.sample_every = every(SAMPLES);
    recipe.optimizer.average = rounded(
        (1.0 - 1.0 / (AVERAGED_PART * steps as f64)).clamp(0.0, 0.9999),
        1e4,
    );
    recipe.optimizer.warmup_steps = recipe.optimizer.warmup_steps.min(steps / 10);
}

/// Numbers that a training of this model changes.
#[must_use]
pub fn weights(model: &Model, symbols: usize) -> f64 {
    let (hidden, embedding) = (model.hidden as f64, model.embedding as f64);
    let below = (model.layers - 1).max(0) as f64 * 2.0 * hidden;
    4.0 * hidden * (hidden + embedding + below) + symbols as f64 * (hidden + embedding)
}

/// A setting on the line between the two anchors around `hidden`, or that of the outermost one.
fn interpolate(hidden: f64, of: fn(&Anchor) -> f64) -> f64 {
    let between = ANCHORS
        .array_windows()
        .find(|[_, above]| hidden <= above.hidden);
    match between {
        Some([below, above]) => {
            let part = (hidden - below.hidden) / (above.hidden - below.hidden);
            of(below) + part.max(0.0) * (of(above) - of(below))
        }
        None => ANCHORS.last().map_or(0.0, of),
    }
}

/// Steps as people would say them.
fn two_digits(steps: f64) -> u64 {
    let unit = 10_f64.powf(steps.log10().floor() - 1.0).max(1.0);
    ((steps / unit).round() * unit) as u64
}

/// So that a printed recipe has no tails of digits.
fn rounded(value: f64, per_unit: f64) -> f64 {
    (value * per_unit).round() / per_unit
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn suited(hidden: i64, conditions: Conditions) -> Recipe {
        let mut recipe = Recipe::find("quick").expect("a recipe");
        recipe.model.hidden = hidden;
        suit(&mut recipe, &conditions);
        recipe
    }

    fn steps(recipe: &Recipe) -> u64 {
        match recipe.length {
            Length::Steps(steps) => steps,
            Length::Minutes(_) => panic!("a suited recipe counts steps"),
        }
    }

    fn starts() -> impl Strategy<Value = Start> {
        prop_oneof![
            Just(Start::Fresh),
            (0.5_f64..9.0).prop_map(|bits| Start::Trained { bits })
        ]
    }

    proptest! {
        #[test]
        fn what_suits_is_a_sound_recipe_that_is_looked_at_a_dozen_times(
            hidden in 4_i64..=1024,
            characters in 2_usize..1_000_000_000,
            symbols in 1_usize..=255,
            start in starts(),
            most_steps in proptest::option::of(1_u64..100_000),
        ) {
            let conditions = Conditions { characters, symbols, start, most_steps };
            let recipe = suited(hidden, conditions);
            recipe.check().expect("a sound recipe");
            prop_assert!(most_steps.is_none_or(|most| steps(&recipe) <= most.max(1)));
            let looks = steps(&recipe).div_ceil(recipe.report.validate_every);
            prop_assert!(looks <= 12);
            prop_assert!(looks >= 5 || steps(&recipe) < 12);
            let [least, most] = expected(&recipe.model, &conditions);
            prop_assert!(0.5 < least && least < most && most < 2.0, "{least} {most}");
        }

        #[test]
        fn more_text_is_never_learned_for_fewer_steps_or_with_more_dropped(
            hidden in 4_i64..=1024,
            characters in 2_usize..10_000_000,
            more in 0_usize..10_000_000,
            start in starts(),
        ) {
            let of = |characters| {
                let symbols = 80;
                suited(hidden, Conditions { characters, symbols, start, most_steps: None })
            };
            let (less, more) = (of(characters), of(characters + more));
            prop_assert!(steps(&less) <= steps(&more));
            let dropped = |recipe: &Recipe| recipe.regularization.output_dropout;
            prop_assert!(dropped(&less) >= dropped(&more));
        }
    }

    #[test]
    fn settings_meet_the_anchors_and_go_straight_between_them() {
        let of = |anchor: &Anchor| anchor.output_dropout;
        assert_eq!(interpolate(8.0, of), 0.0);
        assert_eq!(interpolate(140.0, of), 0.03);
        assert!((interpolate(280.0, of) - 0.095).abs() < 1e-12);
        assert_eq!(interpolate(1024.0, of), 0.28);
    }

    #[test]
    fn steps_are_said_in_two_digits() {
        for (steps, said) in [
            (7.2, 7),
            (99.6, 100),
            (264.0, 260),
            (1318.0, 1300),
            (3845.0, 3800),
        ] {
            assert_eq!(two_digits(steps), said);
        }
    }
}
