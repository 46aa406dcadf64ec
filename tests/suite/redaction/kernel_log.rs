//! A kernel log as a NAS in trouble writes it, of any length: drive errors, md, file systems, links and bridges, network
//! lines with MAC and IP addresses, serial numbers and world wide names. No line stands twice.
//!
//! It knows nothing but the standard library, because the benchmark (`cargo xtask bench`) is built from this same file.
//! It holds no secret: those are planted by who asks. The mixture is a judgement: nine lines in ten are about storage.

/// A drive's serial number and world wide name, as [`write()`] lets them stand.
pub(crate) fn drive(n: u64) -> (String, String) {
    let letters = |mut n: u64| -> String {
        (0..5)
            .map(|_| {
                let letter = char::from(b'A' + (n % 26) as u8);
                n /= 26;
                letter
            })
            .collect()
    };
    (
        format!("WD-WCC{}K{:02}{}", n % 10, n % 97, letters(n * 7_919 + 31)),
        format!("50014ee2{:08x}", n * 40_503 + 77),
    )
}

/// The identifier of an array, as mdadm writes it.
pub(crate) fn array(n: u64) -> String {
    let part = |salt: u64| ((n + salt) * 2_654_435_761) & 0xffff_ffff;
    format!("{:08x}:{:08x}:{:08x}:{:08x}", part(1), part(2), part(3), part(4))
}

/// Different drives and arrays in one log.
pub(crate) const DRIVES: u64 = 24;

/// Machines that a NAS hears of: those of a household or a small office.
const PEERS: u64 = 64;

/// At least `least` bytes of records as `/dev/kmsg` has them, ending with a whole line.
pub(crate) fn write(least: usize, random: &mut dyn FnMut(u64) -> u64) -> String {
    use std::fmt::Write as _;
    let mut log = String::with_capacity(least + 4096);
    let (mut sequence, mut at_us) = (1_u64, 412_083_u64);
    while log.len() < least {
        at_us += 1 + random(900_000);
        let level = if random(5) < 3 { 6 } else { 3 };
        // Writing to a String cannot fail.
        let _ = write!(log, "{level},{sequence},{at_us},-;");
        line(&mut log, random);
        log.push('\n');
        sequence += 1;
    }
    log
}

fn line(log: &mut String, random: &mut dyn FnMut(u64) -> u64) {
    use std::fmt::Write as _;
    let n = random(DRIVES);
    let (port, sd) = (n + 1, char::from(b'a' + n as u8));
    let sector = random(7_814_037_168);
    let tag = random(32);
    let (a, b, c, d) = (random(256), random(256), random(256), random(254) + 1);
    let (serial, wwn) = drive(n);
    let peer = random(PEERS);
    // Of a peer everything is always the same.
    let (x, y) = ((peer * 37) & 0xff, (peer * 101 + 7) & 0xff);
    let _ = match random(100) {
        0..8 => write!(
            log,
            "ata{port}.00: exception Emask 0x0 SAct 0x{:x} SErr 0x{a:x} action 0x6 frozen",
            1_u64 << tag
        ),
        8..14 => write!(log, "ata{port}.00: failed command: READ FPDMA QUEUED"),
        14..20 => write!(
            log,
            "ata{port}.00: cmd 60/08:{:02x}:{a:02x}:{b:02x}:{c:02x}/00:00:{d:02x}:00:00/40 tag {tag} ncq dma 4096 in",
            tag << 3
        ),
        20..26 => write!(
            log,
            "         res 41/40:00:{a:02x}:{b:02x}:{c:02x}/00:00:{d:02x}:00:00/00 Emask 0x409 (media error) <F>"
        ),
        26..29 => write!(log, "ata{port}.00: status: {{ DRDY ERR }}"),
        29..32 => write!(log, "ata{port}: SATA link up 6.0 Gbps (SStatus 133 SControl 300) after {a} ms"),
        32..36 => write!(
            log,
            "sd {n}:0:0:0: [sd{sd}] tag#{tag} FAILED Result: hostbyte=DID_OK driverbyte=DRIVER_SENSE cmd_age={a}s"
        ),
        36..40 => write!(log, "sd {n}:0:0:0: [sd{sd}] tag#{tag} Sense Key : Medium Error [current] "),
        40..44 => write!(
            log,
            "sd {n}:0:0:0: [sd{sd}] tag#{tag} Add. Sense: Unrecovered read error - auto reallocate failed"
        ),
        44..49 => write!(
            log,
            "sd {n}:0:0:0: [sd{sd}] tag#{tag} CDB: Read(16) 88 00 00 00 00 00 {a:02x} {b:02x} {c:02x} {d:02x} 00 00 00 08"
        ),
        49..58 => write!(
            log,
            "blk_update_request: I/O error, dev sd{sd}, sector {sector} op 0x0:(READ) flags 0x{a:x}00 phys_seg {tag} prio class 0"
        ),
        58..64 => write!(log, "md/raid:md1: read error corrected (8 sectors at {sector} on sd{sd}3)"),
        64..67 => write!(log, "md/raid:md1: Disk failure on sd{sd}3, disabling device, event {sector}."),
        67..69 => {
            write!(log, "md: recovery of RAID array md1: minimum _guaranteed_  speed: {sector} KB/sec/disk.")
        }
        69..70 => write!(log, "md1: array UUID {} resumed at {sector}", array(n)),
        70..75 => write!(
            log,
            "EXT4-fs error (device dm-{a}): ext4_lookup:1605: inode #{sector}: comm smbd: deleted inode referenced: {b}"
        ),
        75..78 => write!(log, "Buffer I/O error on dev sd{sd}3, logical block {sector}, async page read"),
        78..80 => write!(log, "nvme nvme{}: I/O {a} QID {tag} timeout, aborting", n % 4),
        80..82 => write!(
            log,
            "mpt2sas_cm0: log_info(0x31110d{a:02x}): originator(PL), code(0x11), sub_code(0x0d00)"
        ),
        82..84 => write!(log, "scsi {n}:0:0:0: serial {serial} wwn 0x{wwn} bay {port} seen at {sector}"),
        84..87 => write!(log, "docker0: port {port}(veth{a:02x}{b:02x}{c:02x}) entered blocking state"),
        87..89 => write!(
            log,
            "igb 0000:03:00.{} eth0: igb: eth0 NIC Link is Up 1000 Mbps Full Duplex, Flow Control: RX {a}",
            n % 4
        ),
        89..90 => {
            write!(log, "eth{}: hw address 24:5e:be:{x:02x}:{y:02x}:{peer:02x} assigned, queue {a}", n % 4)
        }
        90..93 => write!(
            log,
            "IN=eth0 OUT= MAC=24:5e:be:{x:02x}:{y:02x}:{peer:02x}:00:11:32:{y:02x}:{x:02x}:{peer:02x}:08:00 SRC=192.168.1.{peer} DST=10.0.{x}.{peer} LEN={a} TTL=64 ID={b} PROTO=TCP SPT={sector}"
        ),
        93..95 => write!(log, "nfsd: peername failed (err {a}) from 192.168.1.{peer}!"),
        95..97 => write!(
            log,
            "IPv6: eth0: duplicate address fe80::265e:beff:fe{x:02x}:{y:02x}{peer:02x} detected, try {d}"
        ),
        97..98 => write!(
            log,
            "usb {}-{tag}: New USB device found, idVendor={a:04x}, idProduct={b:04x}, bcdDevice= {d}.00",
            n % 4
        ),
        98..99 => write!(
            log,
            "CPU{tag}: Core temperature above threshold, cpu clock throttled (total events = {sector})"
        ),
        _ => write!(
            log,
            "EDAC MC0: 1 CE memory read error on CPU_SrcID#0_Ha#0_Chan#{}_DIMM#0 (page:0x{sector:x})",
            n % 4
        ),
    };
}
