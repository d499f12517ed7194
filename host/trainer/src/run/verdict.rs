//! The verdict: what a learning curve says of the text, the model and the length of the training.

use host::report::Point;

/// A look is worse when its loss is more than so much above the lowest, as a part of it.
const WORSE: f64 = 0.03;

/// A model knows its training text clearly better than other text when the loss on it is lower by more
/// than so much, as a part of it.
const WIDE_GAP: f64 = 0.25;

/// The same for a model that has learned from its text only what holds for other text, too.
const NARROW_GAP: f64 = 0.06;

/// Looks that a verdict needs.
const LEAST_LOOKS: usize = 4;

/// What the end of a training can be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// The loss on unseen text rose again after a step.
    ByHeart {
        /// That step.
        since: u64,
    },
    /// The training text is known much better than unseen text.
    WideGap,
    /// Both losses were still falling together.
    StillFalling,
    /// Neither.
    Settled,
}

/// How often in a row, up to now, the loss on unseen text was clearly above its lowest.
#[must_use]
pub fn worse_in_a_row(curve: &[Point]) -> usize {
    let mut lowest = f64::INFINITY;
    let mut count = 0;
    for loss in looks(curve).map(|(_, loss)| loss) {
        lowest = lowest.min(loss);
        count = match loss > (1.0 + WORSE) * lowest {
            true => count + 1,
            false => 0,
        };
    }
    count
}

/// What a finished curve says; none where there are too few measurements.
#[must_use]
pub fn verdict(curve: &[Point]) -> Option<Verdict> {
    let looks: Vec<(u64, f64)> = looks(curve).collect();
    let (&(last_step, last), &(best_step, best)) = (
        looks.last()?,
        looks.iter().min_by(|a, b| a.1.total_cmp(&b.1))?,
    );
    if looks.len() < LEAST_LOOKS {
        return None;
    }
    if last > (1.0 + WORSE / 2.0) * best {
        return Some(Verdict::ByHeart { since: best_step });
    }
    let seen: Vec<f64> = curve
        .iter()
        .filter(|point| point.step * 10 >= last_step * 9)
        .filter_map(|point| point.loss_nats)
        .collect();
    if seen.is_empty() {
        return None;
    }
    let seen = seen.iter().sum::<f64>() / seen.len() as f64;
    let gap = last / seen - 1.0;
    Some(if gap > WIDE_GAP {
        Verdict::WideGap
    } else if gap < NARROW_GAP {
        Verdict::StillFalling
    } else {
        Verdict::Settled
    })
}

/// The steps and losses of measurements on the validation part.
fn looks(curve: &[Point]) -> impl Iterator<Item = (u64, f64)> {
    curve
        .iter()
        .filter_map(|point| Some((point.step, point.validation_loss_nats?)))
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ByHeart { since } => write!(
                f,
                "verdict: it was learning the text by heart since step {since}, and what it knew then is \
                 kept; more text, a smaller model or --from a model of the same language would help"
            ),
            Self::WideGap => f.write_str(
                "verdict: it knows its training text much better than unseen text; more text, or --from a \
                 model of the same language, would help, more steps would not",
            ),
            Self::StillFalling => f.write_str(
                "verdict: still falling on unseen text as on its own; twice the steps (--passes) or a larger \
                 model would help",
            ),
            Self::Settled => f.write_str(
                "verdict: about as good as a model of this size gets on this text; a larger one or more text \
                 would help",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A curve of looks, with losses on the training text between them.
    fn curve(looks: &[f64], seen: &[f64]) -> Vec<Point> {
        let points = looks.iter().zip(seen).zip(1..);
        points
            .map(|((&loss, &seen), index)| Point {
                step: 100 * index,
                seconds: 0.0,
                loss_nats: Some(seen),
                validation_loss_nats: Some(loss),
            })
            .collect()
    }

    #[test]
    fn a_curve_that_rises_again_is_of_a_text_learned_by_heart() {
        let curve = curve(&[2.0, 1.6, 1.5, 1.7, 1.9], &[1.9, 1.4, 1.0, 0.6, 0.3]);
        assert_eq!(verdict(&curve), Some(Verdict::ByHeart { since: 300 }));
        assert_eq!(worse_in_a_row(&curve), 2);
    }

    #[test]
    fn a_little_noise_is_not_worse() {
        let curve = curve(&[2.0, 1.6, 1.5, 1.52, 1.51], &[2.0, 1.6, 1.5, 1.45, 1.4]);
        assert_eq!(worse_in_a_row(&curve), 0);
        assert_eq!(verdict(&curve), Some(Verdict::Settled));
    }

    #[test]
    fn losses_that_fall_together_are_still_falling() {
        let curve = curve(&[2.0, 1.6, 1.5, 1.45], &[2.0, 1.6, 1.5, 1.44]);
        assert_eq!(verdict(&curve), Some(Verdict::StillFalling));
    }

    #[test]
    fn a_training_text_known_far_better_than_others_is_named() {
        let curve = curve(&[2.0, 1.8, 1.7, 1.7], &[1.9, 1.5, 1.2, 1.0]);
        assert_eq!(verdict(&curve), Some(Verdict::WideGap));
    }

    #[test]
    fn a_curve_of_few_looks_says_nothing() {
        assert_eq!(verdict(&curve(&[2.0, 1.5, 1.9], &[1.0, 1.0, 1.0])), None);
        assert_eq!(verdict(&[]), None);
        assert_eq!(worse_in_a_row(&[]), 0);
    }
}
