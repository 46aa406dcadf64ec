//! What the kernel and the loader of a NAS look at in a program: the head of an ELF file and its program headers.
//! Enough to refuse what would not start there; sections, symbols and big-endian files are not read.

use anyhow::{Context, Result, bail};

/// `e_machine` of x86-64.
pub(super) const X86_64: u16 = 62;
/// `e_machine` of AArch64.
pub(super) const AARCH64: u16 = 183;
/// `e_machine` of 32-bit ARM.
pub(super) const ARM: u16 = 40;

const MAGIC: &[u8] = b"\x7fELF";
/// `EI_CLASS` of 32-bit and 64-bit files.
const CLASS_32: u8 = 1;
const CLASS_64: u8 = 2;
/// `EI_DATA`: the least significant byte first.
const LITTLE_ENDIAN: u8 = 1;
/// `p_type` of what is mapped into memory.
const PT_LOAD: u64 = 1;
/// `p_type` of the list of what the loader has to look up.
const PT_DYNAMIC: u64 = 2;
/// `p_type` of the name of a loader.
const PT_INTERP: u64 = 3;
/// The bit of `e_flags` by which a 32-bit ARM program asks for registers of a floating-point unit.
const EF_ARM_ABI_FLOAT_HARD: u64 = 0x400;

/// One piece that is mapped into memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Load {
    /// Where it is in the file.
    pub(super) offset: u64,
    /// Where it is in memory.
    pub(super) address: u64,
    /// Bytes of it in the file.
    pub(super) file_bytes: u64,
    /// Both places are equal modulo this: no kernel with larger pages can map it.
    pub(super) align: u64,
}

/// What was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Elf {
    /// `e_machine`.
    pub(super) machine: u16,
    /// `e_flags`.
    pub(super) flags: u64,
    /// The pieces, in the file's order.
    pub(super) loads: Vec<Load>,
    /// It asks for a loader (`ld-linux.so` and the like).
    pub(super) wants_loader: bool,
    /// It has a dynamic section.
    pub(super) dynamic: bool,
}

/// What a program has to be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// `e_machine`.
    pub(super) machine: u16,
    /// The largest page of a kernel that it has to start on.
    pub(super) page_bytes: u64,
    /// The most that it may have.
    pub(super) most_bytes: u64,
}

/// The bytes of a file, read as numbers of 1 to 8 bytes.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn number(&self, at: u64, bytes: usize) -> Result<u64> {
        let start = usize::try_from(at).context("an offset beyond memory")?;
        let field = start.checked_add(bytes).and_then(|end| self.0.get(start..end));
        let field = field.with_context(|| format!("the file ends before byte {at} of its headers"))?;
        Ok(field.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }
}

/// Reads the headers.
pub(super) fn read(file: &[u8]) -> Result<Elf> {
    let bytes = Bytes(file);
    if !file.starts_with(MAGIC) {
        bail!("not an ELF file");
    }
    let wide = match file.get(4) {
        Some(&CLASS_32) => false,
        Some(&CLASS_64) => true,
        class => bail!("a class that is neither 32 nor 64 bits: {class:?}"),
    };
    if file.get(5) != Some(&LITTLE_ENDIAN) {
        bail!("not little-endian");
    }
    // (32 bits, 64 bits): the places of the fields, from the generic ABI.
    let at = |narrow: u64, broad: u64| if wide { broad } else { narrow };
    let word = if wide { 8 } else { 4 };
    let table = bytes.number(at(28, 32), word)?;
    let entry = bytes.number(at(42, 54), 2)?;
    let count = bytes.number(at(44, 56), 2)?;
    let mut elf = Elf {
        machine: u16::try_from(bytes.number(18, 2)?).unwrap_or_default(),
        flags: bytes.number(at(36, 48), 4)?,
        loads: Vec::new(),
        wants_loader: false,
        dynamic: false,
    };
    for index in 0..count {
        let header = table.checked_add(index * entry).context("a program header beyond the file")?;
        let field = |narrow: u64, broad: u64| bytes.number(header.saturating_add(at(narrow, broad)), word);
        match bytes.number(header, 4)? {
            PT_LOAD => elf.loads.push(Load {
                offset: field(4, 8)?,
                address: field(8, 16)?,
                file_bytes: field(16, 32)?,
                align: field(28, 48)?,
            }),
            PT_INTERP => elf.wants_loader = true,
            PT_DYNAMIC => elf.dynamic = true,
            _ => {}
        }
    }
    Ok(elf)
}

/// Why a program must not ship; empty when it may.
pub(super) fn faults(file: &[u8], wanted: &Wanted) -> Result<Vec<String>> {
    let elf = read(file)?;
    let mut faults = Vec::new();
    if elf.machine != wanted.machine {
        faults.push(format!("is for machine {}, not {}", elf.machine, wanted.machine));
    }
    if elf.machine == ARM && elf.flags & EF_ARM_ABI_FLOAT_HARD != 0 {
        faults.push("needs a floating-point unit, which not every ARM NAS has".to_owned());
    }
    if elf.wants_loader {
        faults.push("asks for a loader (INTERP), and QTS has another".to_owned());
    }
    if elf.dynamic {
        faults.push("has a dynamic section: it is not static".to_owned());
    }
    if elf.loads.is_empty() {
        faults.push("has nothing to load".to_owned());
    }
    for load in &elf.loads {
        let apart = load.address.wrapping_sub(load.offset);
        if load.align < wanted.page_bytes || !apart.is_multiple_of(wanted.page_bytes) {
            faults.push(format!(
                "the piece at {:#x} is aligned to {} bytes and cannot be mapped with pages of {}",
                load.address, load.align, wanted.page_bytes
            ));
        }
        let end = load.offset.checked_add(load.file_bytes);
        if end.is_none_or(|end| end > file.len() as u64) {
            faults.push(format!("the piece at {:#x} ends beyond the file", load.address));
        }
    }
    if file.len() as u64 > wanted.most_bytes {
        let over = file.len() as u64 - wanted.most_bytes;
        faults.push(format!("has {} bytes: {over} over the {} it may have", file.len(), wanted.most_bytes));
    }
    Ok(faults)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: Wanted = Wanted { machine: ARM, page_bytes: 0x1_0000, most_bytes: 4096 };

    /// One program header: `p_type`, offset, address, bytes in the file, alignment.
    type Header = (u64, u64, u64, u64, u64);

    const CODE: Header = (PT_LOAD, 0, 0x1_0000, 256, 0x1_0000);

    fn put(file: &mut [u8], at: usize, bytes: usize, number: u64) {
        file[at..at + bytes].copy_from_slice(&number.to_le_bytes()[..bytes]);
    }

    /// A file of 512 bytes with these headers.
    fn made(wide: bool, machine: u16, flags: u64, headers: &[Header]) -> Vec<u8> {
        let mut file = vec![0; 512];
        file[..4].copy_from_slice(MAGIC);
        file[4] = if wide { CLASS_64 } else { CLASS_32 };
        file[5] = LITTLE_ENDIAN;
        put(&mut file, 18, 2, machine.into());
        let at = |narrow, broad| if wide { broad } else { narrow };
        let (start, entry, word) = (at(52, 64), at(32, 56), at(4, 8));
        put(&mut file, at(28, 32), word, start as u64);
        put(&mut file, at(36, 48), 4, flags);
        put(&mut file, at(42, 54), 2, entry as u64);
        put(&mut file, at(44, 56), 2, headers.len() as u64);
        for (index, header) in headers.iter().enumerate() {
            let here = start + index * entry;
            put(&mut file, here, 4, header.0);
            put(&mut file, here + at(4, 8), word, header.1);
            put(&mut file, here + at(8, 16), word, header.2);
            put(&mut file, here + at(16, 32), word, header.3);
            put(&mut file, here + at(28, 48), word, header.4);
        }
        file
    }

    fn check(file: &[u8], expected: &[&str]) {
        let found = faults(file, &WANTED).unwrap_or_else(|error| vec![error.to_string()]);
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.contains(expected), "{found} has no {expected}");
        }
    }

    #[test]
    fn what_would_not_start_is_refused() {
        check(&made(false, ARM, 0x500_0200, &[CODE]), &[]);
        check(&made(false, ARM, 0x500_0400, &[CODE]), &["floating-point unit"]);
        check(&made(true, X86_64, 0, &[CODE]), &["is for machine 62, not 40"]);
        check(&made(false, ARM, 0, &[]), &["nothing to load"]);
        check(&made(false, ARM, 0, &[CODE, (PT_INTERP, 0, 0, 0, 1)]), &["INTERP"]);
        check(&made(false, ARM, 0, &[CODE, (PT_DYNAMIC, 0, 0, 0, 4)]), &["not static"]);
        // Aligned to the pages of a PC: does not load where pages have 32 KB.
        check(&made(false, ARM, 0, &[(PT_LOAD, 0, 0x1_0000, 256, 0x1000)]), &["aligned to 4096 bytes"]);
        // The alignment is claimed, and the places do not agree with it.
        check(&made(false, ARM, 0, &[(PT_LOAD, 0x80, 0x1_1080, 256, 0x1_0000)]), &["cannot be mapped"]);
        check(&made(false, ARM, 0, &[CODE, (PT_LOAD, 0x100, 0x3_0100, 300, 0x1_0000)]), &["beyond the file"]);
        let mut large = made(false, ARM, 0, &[CODE]);
        large.resize(4097, 0);
        check(&large, &["has 4097 bytes: 1 over the 4096"]);
    }

    #[test]
    fn both_widths_are_read() {
        let header = (PT_LOAD, 0x40, 0x2_0040, 0x60, 0x1_0000);
        let load = Load { offset: 0x40, address: 0x2_0040, file_bytes: 0x60, align: 0x1_0000 };
        for (wide, machine) in [(false, ARM), (true, AARCH64)] {
            let elf = read(&made(wide, machine, 7, &[(PT_DYNAMIC, 0, 0, 0, 0), header])).unwrap();
            let expected = Elf { machine, flags: 7, loads: vec![load], wants_loader: false, dynamic: true };
            assert_eq!(elf, expected);
        }
    }

    #[test]
    fn what_is_no_program_is_refused() {
        check(b"#!/bin/sh\n", &["not an ELF file"]);
        check(b"\x7fELF\x09\x01", &["neither 32 nor 64"]);
        check(b"\x7fELF\x01\x02", &["not little-endian"]);
        check(&made(false, ARM, 0, &[CODE])[..60], &["ends before byte"]);
        let mut far = made(true, ARM, 0, &[CODE]);
        put(&mut far, 32, 8, u64::MAX);
        check(&far, &["the file ends before"]);
    }
}
