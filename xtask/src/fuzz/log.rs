//! What libFuzzer prints of a run.

/// Lines of a crash that are shown.
const SHOWN_LINES: usize = 25;

/// How libFuzzer says where it has put the input of a crash.
const WRITTEN: &str = "Test unit written to ";

/// A run, as far as it is reported.
#[derive(Debug, PartialEq, Eq)]
pub struct Log {
    /// Whether no input broke a promise.
    pub is_sound: bool,
    /// Inputs that were tried.
    pub executions: u64,
    /// Edges of the code that some input reached.
    pub coverage: u64,
    /// Inputs that reach something each.
    pub inputs: u64,
    /// Where the input of a crash lies.
    crash: Option<String>,
    /// What was printed about it.
    about: Vec<String>,
}

impl Log {
    /// Reads what was printed.
    pub fn read(printed: &str, succeeded: bool) -> Self {
        let statistic = |line: &str, name: &str| -> Option<u64> {
            let words: Vec<_> = line.split_whitespace().collect();
            let at = words.iter().position(|word| *word == name)?;
            words.get(at + 1)?.split('/').next()?.parse().ok()
        };
        let last = |name: &str| printed.lines().rev().find_map(|line| statistic(line, name));
        let counted = printed.lines().rev().find_map(|line| {
            let number = line.strip_prefix('#')?.split_whitespace().next()?;
            number.trim_end_matches(':').parse().ok()
        });
        let crash = printed.lines().find_map(|line| {
            let (_, path) = line.split_once(WRITTEN)?;
            Some(path.trim().to_owned())
        });
        let is_about = |line: &&str| line.contains("panicked at") || line.contains("ERROR: ");
        let begin = printed.lines().position(|line| is_about(&line));
        let about = printed.lines().skip(begin.unwrap_or(usize::MAX));
        Self {
            is_sound: succeeded,
            executions: last("stat::number_of_executed_units:")
                .or(counted)
                .unwrap_or(0),
            coverage: last("cov:").unwrap_or(0),
            inputs: last("corp:").unwrap_or(0),
            crash,
            about: about.take(SHOWN_LINES).map(str::to_owned).collect(),
        }
    }

    /// What broke, and how to see it again.
    pub fn finding(&self, target: &str) -> String {
        let about = self.about.join("\n");
        match &self.crash {
            Some(path) => format!(
                "\n{target}:\n{about}\nthe input is in {path}; to repeat: cargo xtask fuzz {target} --input {path}"
            ),
            None => {
                format!("\n{target}:\n{about}\nall that it printed is in target/fuzz/{target}.log")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sound_run_is_summed_up() {
        let printed = "INFO: seed corpus: files: 9\n#10\tINITED cov: 80 ft: 90 corp: 7/1234b\n\
            #4096\tpulse  cov: 99 ft: 300 corp: 20/9Kb lim: 4096 exec/s: 2048 rss: 60Mb\n\
            Done 5000 runs in 3 second(s)\nstat::number_of_executed_units: 5000\n";
        let log = Log::read(printed, true);
        assert_eq!((log.executions, log.coverage, log.inputs), (5000, 99, 20));
        assert!(log.is_sound);
    }

    #[test]
    fn a_crash_is_named_with_its_input_and_how_to_repeat_it() {
        let printed = "#77\tNEW    cov: 12 ft: 13 corp: 3/9b\n\
            thread '<unnamed>' panicked at src/owl.rs:3:5:\nit fell\n\
            artifact_prefix='x/'; Test unit written to target/fuzz/crashes/owl-crash-1\n";
        let log = Log::read(printed, false);
        assert_eq!((log.executions, log.is_sound), (77, false));
        let finding = log.finding("owl");
        assert!(finding.contains("src/owl.rs:3:5:\nit fell"), "{finding}");
        let repeat = "cargo xtask fuzz owl --input target/fuzz/crashes/owl-crash-1";
        assert!(finding.ends_with(repeat), "{finding}");
    }
}
