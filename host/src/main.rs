//! The `host` command: see `host --help`.

fn main() -> std::process::ExitCode {
    host::cli::main()
}
