//! Numbers in sentences: counts with their noun, and shares.

use inkling_engine::format::{Dimensions, Planes, Trits};

/// `n` of something: "1 character", "2 characters".
#[must_use]
pub fn count(n: impl TryInto<u64>, noun: &str) -> String {
    match n.try_into().unwrap_or(u64::MAX) {
        1 => format!("1 {noun}"),
        n => format!("{n} {noun}s"),
    }
}

/// The share of `whole` that `part` is, in percent.
#[must_use]
pub fn share(part: u64, whole: u64) -> String {
    let percent = 100.0 * part as f64 / whole.max(1) as f64;
    if part > 0 && percent < 0.1 {
        "less than 0.1 %".to_owned()
    } else {
        format!("{percent:.1} %")
    }
}

/// How weights are kept, in words.
#[must_use]
pub fn weights(dimensions: &Dimensions) -> String {
    let Planes {
        recurrent,
        input,
        output,
    } = dimensions.planes;
    let input = match dimensions.embedding {
        0 => "inputs folded into bytes".to_owned(),
        size => format!("input {} behind an embedding of {size}", Trits(input)),
    };
    format!(
        "recurrent {}, {input}, output {}",
        Trits(recurrent),
        Trits(output)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_agrees_with_its_noun() {
        let counts = [0_usize, 1, 2].map(|n| count(n, "byte"));
        assert_eq!(counts, ["0 bytes", "1 byte", "2 bytes"]);
    }

    #[test]
    fn a_share_that_is_there_is_never_none() {
        assert_eq!(share(1, 3), "33.3 %");
        assert_eq!(share(1, 100_000), "less than 0.1 %");
        assert_eq!(share(0, 0), "0.0 %");
    }
}
