//! The command line: see `inkling --help`.

fn main() -> std::process::ExitCode {
    host::cli::main()
}
