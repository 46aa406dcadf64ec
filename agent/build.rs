//! Writes the build date into the binary: the lower bound of a plausible clock. `SOURCE_DATE_EPOCH` makes it
//! reproducible; without it, it is the time of the build. It refuses nothing: a bad value fails the build in `clock.rs`.
//! And leaves the unwind tables out of a program that never unwinds, and packs the list of what the loader corrects.

use std::time::{SystemTime, UNIX_EPOCH};

fn main() {
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    println!("cargo::rerun-if-changed=build.rs");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map(|d| d.as_secs()).unwrap_or_default();
    let date = std::env::var("SOURCE_DATE_EPOCH").unwrap_or_else(|_| now.to_string());
    println!("cargo::rustc-env=ASSAY_BUILD_UNIX_S={date}");
    println!("cargo::rerun-if-changed=no-unwind-tables.ld");
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|set| set == value);
    if is("PROFILE", "release") && is("CARGO_CFG_TARGET_OS", "linux") {
        let folder = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
        println!("cargo::rustc-link-arg-bin=assay=-Wl,-T,{folder}/no-unwind-tables.ld");
        // A program that may be loaded anywhere has some ten thousand places to correct when it starts. Packed they
        // are a few kilobytes instead of a quarter of a megabyte. (glibc 2.36 and later read this form. The linker
        // that makes the static programs does not write it.)
        if is("CARGO_CFG_TARGET_ENV", "gnu") {
            println!("cargo::rustc-link-arg-bin=assay=-Wl,-z,pack-relative-relocs");
        }
    }
}
