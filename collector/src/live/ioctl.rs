//! Submits the read-only questions of [`crate::direct`] to a device: `SG_IO` and `NVME_IOCTL_ADMIN_CMD`.
//!
//! This is one of the two files of the project with `unsafe` in it, and there it is one function, [`submit`], which hands the
//! kernel a structure and the buffers that the structure points to. It runs in the reader child only, which may be
//! lost; see [`super`].
//!
//! A device is opened for reading, without waiting (so that no medium is looked for), and nothing else is done to it:
//! no data goes to the device, because a [`Frame`] has no such direction. Closing a device that was opened for reading
//! makes no event for udev. What is not a block or character device is not opened.

use std::fs::File;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::ptr;

use rustix::fs::{Mode, OFlags};
use rustix::io;
use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, ioctl, opcode};

use super::reader::failure;
use crate::direct::{DeviceAnswer, DeviceQuery, Direction, Ending, Frame};
use crate::source::Failure;

/// After this the kernel gives a command up. A drive in error recovery answers within a few seconds or not at all.
const TIMEOUT_MS: u32 = 10_000;
/// Bytes for sense data; descriptors with the registers of an ATA command take 22.
const SENSE_BYTES: usize = 64;
/// `SG_IO` of `scsi/sg.h`: a number from before the scheme of numbers.
const SG_IO: Opcode = 0x2285;
/// `NVME_IOCTL_ADMIN_CMD` of `linux/nvme_ioctl.h`.
const NVME_ADMIN: Opcode = opcode::read_write::<NvmeAdminCommand>(b'N', 0x41);

/// `struct sg_io_hdr` of `scsi/sg.h`. The pointers have the size of the machine's.
#[repr(C)]
struct SgIoHeader {
    interface_id: i32,
    dxfer_direction: i32,
    cmd_len: u8,
    mx_sb_len: u8,
    iovec_count: u16,
    dxfer_len: u32,
    dxferp: *mut u8,
    cmdp: *const u8,
    sbp: *mut u8,
    timeout: u32,
    flags: u32,
    pack_id: i32,
    usr_ptr: *mut u8,
    status: u8,
    masked_status: u8,
    msg_status: u8,
    sb_len_wr: u8,
    host_status: u16,
    driver_status: u16,
    resid: i32,
    duration: u32,
    info: u32,
}

/// `struct nvme_admin_cmd` of `linux/nvme_ioctl.h`: addresses have 64 bits on every machine.
#[repr(C)]
#[derive(Default)]
struct NvmeAdminCommand {
    opcode: u8,
    flags: u8,
    reserved: u16,
    nsid: u32,
    cdw2: u32,
    cdw3: u32,
    metadata: u64,
    address: u64,
    metadata_len: u32,
    data_len: u32,
    cdw10: u32,
    cdw11: u32,
    cdw12: u32,
    cdw13: u32,
    cdw14: u32,
    cdw15: u32,
    timeout_ms: u32,
    result: u32,
}

/// Asks a device one thing.
pub(super) fn ask(path: &Path, query: DeviceQuery) -> Result<(Vec<u8>, bool), Failure> {
    let device = open(path)?;
    let frame = query.frame();
    let length = match &frame {
        Frame::Scsi { length, .. } | Frame::Nvme { length, .. } => *length,
    };
    let mut data = vec![0; usize::try_from(length).unwrap_or_default()];
    let (end, received) = submit(&device, &frame, &mut data).map_err(|error| failure(path, &error.into()))?;
    let data = data.get(..received).unwrap_or(&data);
    Ok((DeviceAnswer::new(query, end, data).to_json(), false))
}

fn open(path: &Path) -> Result<File, Failure> {
    let what = std::fs::symlink_metadata(path).map_err(|error| failure(path, &error))?.file_type();
    if !what.is_block_device() && !what.is_char_device() {
        return Err(Failure::Io { why: format!("{}: not a device, so it was not asked", path.display()) });
    }
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let device = rustix::fs::open(path, flags, Mode::empty());
    Ok(File::from(device.map_err(|error| failure(path, &error.into()))?))
}

/// Submits one frame and waits for its end. Gives how it ended, and how many bytes of `data` the device filled.
#[expect(unsafe_code, reason = "no crate has a safe interface for these two ioctls")]
fn submit(device: &File, frame: &Frame, data: &mut [u8]) -> io::Result<(Ending, usize)> {
    /// One of the two structures under its number; the call's own result is the NVMe status.
    struct Call<'a, T>(Opcode, &'a mut T);

    // SAFETY: the pointer is to a live, exclusively borrowed `T` for the time of the call, the kernel reads and writes
    // no more than `T` through it, and only the result's number is taken out of it. That the opcode is the one of `T`
    // is up to the two calls below.
    unsafe impl<T> Ioctl for Call<'_, T> {
        type Output = IoctlOutput;
        const IS_MUTATING: bool = true;

        fn opcode(&self) -> Opcode {
            self.0
        }

        fn as_ptr(&mut self) -> *mut std::ffi::c_void {
            ptr::from_mut(self.1).cast()
        }

        unsafe fn output_from_ptr(output: IoctlOutput, _: *mut std::ffi::c_void) -> io::Result<IoctlOutput> {
            Ok(output)
        }
    }

    // Never more than the buffer holds, whatever the frame says.
    let room = u32::try_from(data.len()).unwrap_or(u32::MAX);
    match frame {
        Frame::Scsi { cdb, direction, length } => {
            const NO_DATA: i32 = -1;
            const FROM_DEVICE: i32 = -3;
            let mut sense = [0_u8; SENSE_BYTES];
            let asked = match direction {
                Direction::Nothing => 0,
                Direction::FromDevice => room.min(*length),
            };
            let mut header = SgIoHeader {
                interface_id: i32::from(b'S'),
                dxfer_direction: if asked == 0 { NO_DATA } else { FROM_DEVICE },
                cmd_len: u8::try_from(cdb.len()).unwrap_or_default(),
                mx_sb_len: SENSE_BYTES as u8,
                iovec_count: 0,
                dxfer_len: asked,
                dxferp: if asked == 0 { ptr::null_mut() } else { data.as_mut_ptr() },
                cmdp: cdb.as_ptr(),
                sbp: sense.as_mut_ptr(),
                timeout: TIMEOUT_MS,
                flags: 0,
                pack_id: 0,
                usr_ptr: ptr::null_mut(),
                status: 0,
                masked_status: 0,
                msg_status: 0,
                sb_len_wr: 0,
                host_status: 0,
                driver_status: 0,
                resid: 0,
                duration: 0,
                info: 0,
            };
            // SAFETY: the opcode is the one of the structure, whose layout the tests below compare with the kernel's.
            // Its three pointers are to buffers that live until the call returns (SG_IO is synchronous), with the
            // lengths beside them: `dxfer_len` is at most the length of `data`, `cmd_len` the length of the command
            // block, which is read only, `mx_sb_len` the length of `sense`. The kernel writes into nothing else.
            unsafe { ioctl(device, Call(SG_IO, &mut header)) }?;
            let left = u32::try_from(header.resid).unwrap_or(0);
            let sense = sense.get(..usize::from(header.sb_len_wr)).unwrap_or(&sense).to_vec();
            let end = Ending::Scsi {
                status: header.status,
                host: header.host_status,
                driver: header.driver_status,
                sense,
            };
            Ok((end, usize::try_from(asked.saturating_sub(left)).unwrap_or_default()))
        }
        Frame::Nvme { opcode, nsid, cdw10, length } => {
            let asked = room.min(*length);
            let mut command = NvmeAdminCommand {
                opcode: *opcode,
                nsid: *nsid,
                address: data.as_mut_ptr().expose_provenance() as u64,
                data_len: asked,
                cdw10: *cdw10,
                timeout_ms: TIMEOUT_MS,
                ..NvmeAdminCommand::default()
            };
            // SAFETY: the opcode is made from the structure, whose layout the tests below compare with the kernel's.
            // `address` is the buffer `data`, which lives until the call returns (the ioctl is synchronous) and is at
            // least `data_len` long; there is no metadata. The kernel writes into nothing else.
            let status = unsafe { ioctl(device, Call(NVME_ADMIN, &mut command)) }?;
            let status = u16::try_from(status).unwrap_or(u16::MAX);
            // A command that failed returns no data.
            let received = if status == 0 { asked } else { 0 };
            Ok((Ending::Nvme { status }, usize::try_from(received).unwrap_or_default()))
        }
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use std::mem::{offset_of, size_of};

    use super::*;

    #[test]
    fn structures_are_the_kernels() {
        let wide = size_of::<*const u8>() == 8;
        assert_eq!(size_of::<SgIoHeader>(), if wide { 88 } else { 64 });
        let places = [
            offset_of!(SgIoHeader, dxfer_len),
            offset_of!(SgIoHeader, dxferp),
            offset_of!(SgIoHeader, timeout),
            offset_of!(SgIoHeader, usr_ptr),
            offset_of!(SgIoHeader, status),
            offset_of!(SgIoHeader, host_status),
            offset_of!(SgIoHeader, resid),
            offset_of!(SgIoHeader, info),
        ];
        let expected = if wide { [12, 16, 40, 56, 64, 68, 72, 80] } else { [12, 16, 28, 40, 44, 48, 52, 60] };
        assert_eq!(places, expected);
        assert_eq!(size_of::<NvmeAdminCommand>(), 72);
        let places = [
            offset_of!(NvmeAdminCommand, nsid),
            offset_of!(NvmeAdminCommand, metadata),
            offset_of!(NvmeAdminCommand, address),
            offset_of!(NvmeAdminCommand, data_len),
            offset_of!(NvmeAdminCommand, cdw10),
            offset_of!(NvmeAdminCommand, timeout_ms),
            offset_of!(NvmeAdminCommand, result),
        ];
        assert_eq!(places, [4, 16, 24, 36, 40, 64, 68]);
        assert_eq!(NVME_ADMIN, 0xc048_4e41);
    }

    #[test]
    fn only_a_device_is_asked() {
        fn check(path: &Path, words: &str) {
            for query in DeviceQuery::all() {
                let failure = ask(path, query).expect_err("it is no disk");
                assert!(failure.to_string().contains(words), "{query:?}: {failure}");
            }
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("sda");
        check(&file, "not there");
        std::fs::write(&file, "").expect("a file");
        check(&file, "not a device");
        check(folder.path(), "not a device");
        let link = folder.path().join("sdb");
        std::os::unix::fs::symlink("/dev/null", &link).expect("a link");
        check(&link, "not a device");
        // A device of another kind knows neither number.
        check(Path::new("/dev/null"), "ioctl");
    }
}
