//! Archives as the kernel unpacks them at start: `newc`, uncompressed, several one after the other. Owner is root,
//! times are zero, so that the same tree gives the same bytes.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};

/// An archive that grows.
pub(crate) struct Archive {
    bytes: Vec<u8>,
    inode: u32,
}

impl Archive {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self { bytes: Vec::new(), inode: 0 }
    }

    fn header(&mut self, name: &str, mode: u32, size: usize) -> Result<()> {
        self.inode += 1;
        let size = u32::try_from(size).context("a file of 4 GiB")?;
        let name_bytes = u32::try_from(name.len() + 1).context("a name of 4 GiB")?;
        let links = if mode & 0o170_000 == 0o040_000 { 2 } else { 1 };
        let fields = [self.inode, mode, 0, 0, links, 0, size, 0, 0, 0, 0, name_bytes, 0];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08X}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        Ok(())
    }

    fn pad(&mut self) {
        while !self.bytes.len().is_multiple_of(4) {
            self.bytes.push(0);
        }
    }

    /// Adds a folder.
    pub(crate) fn folder(&mut self, name: &str) -> Result<()> {
        self.header(name, 0o040_755, 0)
    }

    /// Adds a file.
    pub(crate) fn file(&mut self, name: &str, bytes: &[u8], executable: bool) -> Result<()> {
        self.header(name, if executable { 0o100_755 } else { 0o100_644 }, bytes.len())?;
        self.bytes.extend_from_slice(bytes);
        self.pad();
        Ok(())
    }

    /// Adds a link.
    pub(crate) fn link(&mut self, name: &str, target: &str) -> Result<()> {
        self.header(name, 0o120_777, target.len())?;
        self.bytes.extend_from_slice(target.as_bytes());
        self.pad();
        Ok(())
    }

    /// Adds everything below a folder, with names below `prefix`.
    pub(crate) fn tree(&mut self, folder: &Path, prefix: &str) -> Result<()> {
        let mut entries: Vec<_> = std::fs::read_dir(folder)
            .and_then(|entries| entries.collect::<Result<_, _>>())
            .with_context(|| format!("the folder {}", folder.display()))?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            let own = entry.file_name().to_string_lossy().into_owned();
            let name = if prefix.is_empty() { own } else { format!("{prefix}/{own}") };
            let kind = entry.file_type().with_context(|| format!("{}", path.display()))?;
            if kind.is_symlink() {
                let target = std::fs::read_link(&path).with_context(|| format!("{}", path.display()))?;
                self.link(&name, &target.to_string_lossy())?;
            } else if kind.is_dir() {
                self.folder(&name)?;
                self.tree(&path, &name)?;
            } else {
                let bytes = std::fs::read(&path).with_context(|| format!("{}", path.display()))?;
                let mode = entry.metadata().with_context(|| format!("{}", path.display()))?.permissions();
                self.file(&name, &bytes, mode.mode() & 0o111 != 0)?;
            }
        }
        Ok(())
    }

    /// The archive's bytes, with its end.
    pub(crate) fn finish(mut self) -> Result<Vec<u8>> {
        self.header("TRAILER!!!", 0, 0)?;
        Ok(self.bytes)
    }
}
