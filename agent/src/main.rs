//! The program `assay`. Everything is in the library beside it; start with `commands.rs`.

fn main() -> std::process::ExitCode {
    assay_agent::run()
}
