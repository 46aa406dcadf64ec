//! A file system that hangs like a dying disk: it mounts and lists well, and never answers an open or a read.
//!
//! A FUSE server on `/dev/fuse` in a thread of the test. Whoever opens a file on it sleeps uninterruptibly, SIGKILL or
//! not, until the server goes away; dropping [`HangFs`] closes the device, which ends everybody's wait.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

const LOOKUP: u32 = 1;
const FORGET: u32 = 2;
const GETATTR: u32 = 3;
const OPEN: u32 = 14;
const READ: u32 = 15;
const INIT: u32 = 26;
const OPENDIR: u32 = 27;
const INTERRUPT: u32 = 36;
const BATCH_FORGET: u32 = 42;

/// "This server has no such operation."
const ENOSYS: i32 = -38;

/// One mounted file system that hangs.
pub(super) struct HangFs {
    folder: PathBuf,
    stop: Arc<AtomicBool>,
    server: Option<JoinHandle<()>>,
}

impl HangFs {
    /// Mounts over `folder`; any file name in it exists and hangs.
    pub(super) fn mount(folder: &Path) -> io::Result<Self> {
        let device =
            rustix::fs::open("/dev/fuse", OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty())?;
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", device.as_raw_fd());
        let options = CString::new(options).expect("no zero byte");
        mount("hangfs", folder, "fuse", MountFlags::NOSUID | MountFlags::NODEV, options.as_c_str())?;
        let stop = Arc::new(AtomicBool::new(false));
        let server = std::thread::spawn({
            let stop = Arc::clone(&stop);
            move || serve(&device, &stop)
        });
        Ok(Self { folder: folder.to_path_buf(), stop, server: Some(server) })
    }
}

impl Drop for HangFs {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(server) = self.server.take() {
            // The thread owns the device: when it has ended, the device is closed and every wait is over.
            let _ = server.join();
        }
        let _ = unmount(&self.folder, UnmountFlags::DETACH);
    }
}

fn serve(device: &OwnedFd, stop: &AtomicBool) {
    let mut buffer = vec![0; 1 << 17];
    let look_up = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
    while !stop.load(Ordering::Relaxed) {
        let _ = poll(&mut [PollFd::new(device, PollFlags::IN)], Some(&look_up));
        let Ok(count) = rustix::io::read(device, buffer.as_mut_slice()) else { continue };
        let request = &buffer[..count];
        let u32_at = |at: usize| u32::from_le_bytes(request[at..at + 4].try_into().expect("four bytes"));
        let u64_at = |at: usize| u64::from_le_bytes(request[at..at + 8].try_into().expect("eight bytes"));
        let (operation, unique, node) = (u32_at(4), u64_at(8), u64_at(16));
        let answer = match operation {
            INIT => Ok(init()),
            GETATTR => Ok([&attributes_valid()[..], &attributes(node == 1)].concat()),
            LOOKUP => Ok([&entry()[..], &attributes(false)].concat()),
            OPEN | READ | OPENDIR | INTERRUPT | FORGET | BATCH_FORGET => continue,
            _ => Err(ENOSYS),
        };
        let (body, error) = answer.map_or_else(|error| (Vec::new(), error), |body| (body, 0));
        let mut reply = (16 + body.len() as u32).to_le_bytes().to_vec();
        reply.extend(error.to_le_bytes());
        reply.extend(unique.to_le_bytes());
        reply.extend(body);
        // A request that was given up in the meantime has no reader for its reply.
        let _ = rustix::io::write(device, &reply);
    }
}

/// `fuse_init_out` of protocol 7.31, 64 bytes: no capability asked for.
fn init() -> Vec<u8> {
    let mut body = Vec::new();
    for word in [7_u32, 31, 0, 0] {
        body.extend(word.to_le_bytes());
    }
    for half in [16_u16, 16] {
        body.extend(half.to_le_bytes());
    }
    for word in [1_u32 << 16, 1] {
        body.extend(word.to_le_bytes());
    }
    body.resize(64, 0);
    body
}

/// Head of `fuse_attr_out`: attributes are valid for a minute.
fn attributes_valid() -> Vec<u8> {
    [&60_u64.to_le_bytes()[..], &[0; 8]].concat()
}

/// Head of `fuse_entry_out`: node 2, valid for a minute.
fn entry() -> Vec<u8> {
    let words = [2_u64, 1, 60, 60, 0].map(u64::to_le_bytes);
    words.concat()
}

/// `fuse_attr`: the folder, or an executable file of 4 KiB.
fn attributes(folder: bool) -> Vec<u8> {
    let (inode, mode, size) = if folder { (1_u64, 0o040_755_u32, 0_u64) } else { (2, 0o100_755, 4096) };
    let mut body = Vec::new();
    for word in [inode, size, 0, 0, 0, 0] {
        body.extend(word.to_le_bytes());
    }
    for word in [0_u32, 0, 0, mode, 1, 0, 0, 0, 4096, 0] {
        body.extend(word.to_le_bytes());
    }
    body
}
