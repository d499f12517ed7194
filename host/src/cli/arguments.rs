//! Reads the command line: numbers may be negative, and are refused by what they mean.

use std::error::Error as _;
use std::num::{IntErrorKind, ParseFloatError, ParseIntError};

use clap::error::{ContextKind, ContextValue, Error, ErrorKind};
use clap::{Arg, Parser};

/// Reads the arguments of this program.
///
/// # Errors
/// When they cannot be understood, and when help or the version is asked for.
pub fn parse<P: Parser>() -> Result<P, Error> {
    let mut command = command::<P>();
    let matches = command.try_get_matches_from_mut(std::env::args_os())?;
    P::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// The command line as it is described, but what begins with a minus sign and is a number is one.
fn command<P: Parser>() -> clap::Command {
    let takes_numbers = |arg: Arg| match arg.get_action().takes_values() {
        true => arg.allow_negative_numbers(true),
        false => arg,
    };
    P::command()
        .mut_args(takes_numbers)
        .mut_subcommands(|command| command.mut_args(takes_numbers))
}

/// What to tell a user whose arguments cannot be understood.
pub fn refusal(error: &Error) -> String {
    value_refusal(error).unwrap_or_else(|| error.render().to_string().trim_end().to_owned())
}

/// The sentence for a value that is not what is wanted: a number of some kind, or what a parser says.
fn value_refusal(error: &Error) -> Option<String> {
    if error.kind() != ErrorKind::ValueValidation {
        return None;
    }
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let name = context(ContextKind::InvalidArg)?.split(' ').next()?;
    let value = context(ContextKind::InvalidValue)?;
    let source = error.source()?;
    let meaning = if let Some(error) = source.downcast_ref::<ParseIntError>() {
        match error.kind() {
            IntErrorKind::InvalidDigit if is_negative(value) => "0 or more".to_owned(),
            IntErrorKind::PosOverflow => "smaller".to_owned(),
            IntErrorKind::NegOverflow => "greater".to_owned(),
            _ => "a whole number".to_owned(),
        }
    } else if source.is::<ParseFloatError>() {
        "a number".to_owned()
    } else if let Some(range) = range(&source.to_string()) {
        range
    } else {
        return Some(format!("error: {name}: {source}"));
    };
    Some(format!("error: {name} must be {meaning}, not '{value}'"))
}

fn is_negative(value: &str) -> bool {
    let digits = value.strip_prefix('-').unwrap_or_default();
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// The words for a range, out of the sentence of the parser that has one.
fn range(sentence: &str) -> Option<String> {
    let (_, range) = sentence.split_once(" is not in ")?;
    let (least, greatest) = range.split_once("..")?;
    Some(match greatest.strip_prefix('=') {
        Some(greatest) => format!("from {least} to {greatest}"),
        None if greatest.is_empty() => format!("{least} or more"),
        None => format!("at least {least} and less than {greatest}"),
    })
}

#[cfg(test)]
mod tests {
    use std::any::TypeId;

    use inkling_engine::Thousandths;

    use super::*;
    use crate::cli::Cli;

    fn refused(arguments: &[&str]) -> String {
        let all = ["inkling"].iter().chain(arguments);
        match command::<Cli>().try_get_matches_from(all) {
            Ok(_) => "it is understood".into(),
            Err(error) => refusal(&error),
        }
    }

    /// The options of all subcommands that take a number.
    fn numeric_options() -> Vec<(String, String)> {
        let numbers = [
            TypeId::of::<u8>(),
            TypeId::of::<u16>(),
            TypeId::of::<u32>(),
            TypeId::of::<u64>(),
            TypeId::of::<usize>(),
            TypeId::of::<i64>(),
            TypeId::of::<f64>(),
            TypeId::of::<Thousandths>(),
        ];
        let mut options = Vec::new();
        for subcommand in command::<Cli>().get_subcommands() {
            for arg in subcommand.get_arguments() {
                let takes = arg.get_value_parser().type_id();
                if let Some(long) = arg.get_long()
                    && numbers.iter().any(|&number| takes == number)
                {
                    options.push((subcommand.get_name().to_owned(), format!("--{long}")));
                }
            }
        }
        options
    }

    #[test]
    fn a_negative_number_is_never_taken_for_an_option() {
        let options = numeric_options();
        assert!(options.len() > 15, "{options:?}");
        for (subcommand, option) in options {
            for value in ["-1", "-0.5", "-1e9"] {
                let said = refused(&[&subcommand, &option, value]);
                assert!(!said.contains("unexpected argument"), "{option}: {said}");
            }
        }
    }

    #[test]
    fn numbers_are_refused_by_what_they_must_be() {
        for (arguments, sentence) in [
            (
                ["emulate", "--top-k", "-1"],
                "error: --top-k must be from 0 to 255, not '-1'",
            ),
            (
                ["emulate", "--length", "0"],
                "error: --length must be from 1 to 4294967295, not '0'",
            ),
            (
                ["emulate", "--seed", "-1"],
                "error: --seed must be 0 or more, not '-1'",
            ),
            (
                ["emulate", "--seed", "x"],
                "error: --seed must be a whole number, not 'x'",
            ),
            (
                ["emulate", "--seed", "99999999999999999999"],
                "error: --seed must be smaller, not '99999999999999999999'",
            ),
            (
                ["monitor", "--wait", "-1"],
                "error: --wait must be 0 or more, not '-1'",
            ),
        ] {
            assert_eq!(refused(&arguments), sentence);
        }
        let said = refused(&["emulate", "--temperature", "-1"]);
        assert!(
            said.starts_with("error: --temperature: expected a number from 0 to 65.535"),
            "{said}"
        );
        let said = refused(&["export", "run", "--name", "../x"]);
        assert!(
            said.starts_with("error: --name: the name '../x' cannot be used"),
            "{said}"
        );
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}
