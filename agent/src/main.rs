//! The program `assay`. Everything is in the library beside it; start with `commands.rs`.

/// What the static programs take memory with. The one of their C library (zig's) has a list of blocks for each power of two
/// and never gives one back: a third more at the peak, and a daemon keeps its peak.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> std::process::ExitCode {
    assay_agent::run()
}
