//! The program behind `inkling train`: it takes the same options.

fn main() -> std::process::ExitCode {
    trainer::cli::main()
}
