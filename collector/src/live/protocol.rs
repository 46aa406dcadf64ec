//! What is said between this program and its reader child: one request, one response, length first, any bytes.
//!
//! Both sides are the same executable, but neither trusts the other's lengths: a child that is confused by a dying
//! machine must not make the parent allocate, and garbage on the child's standard input ends the child.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::direct::DeviceQuery;
use crate::source::{Failure, Manner};

/// First bytes of every message: catches a wrong program behind the pipe.
const MAGIC: [u8; 4] = *b"ASY1";

/// Length of a response's head: magic, status, truncated, length.
pub(super) const RESPONSE_HEAD_BYTES: usize = 14;

/// Most bytes of a request's text: a path, or a command line with its candidates.
pub(super) const MAX_REQUEST_BYTES: usize = 32 * 1024;

/// Most bytes of an answer that is written together with its head: what a pipe takes in one piece (`PIPE_BUF`).
const SMALL_ANSWER_BYTES: usize = 4096 - RESPONSE_HEAD_BYTES;

/// Most bytes of a failure's JSON.
pub(super) const MAX_FAILURE_BYTES: u64 = 64 * 1024;

/// Exit status of a reader that was to become a command and could not.
pub(super) const LAUNCH_FAILED: i32 = 125;

/// First bytes of what that reader writes to standard error; the failure's JSON follows.
pub(super) const LAUNCH_MARK: &[u8] = b"\0assay launch failure\0";

/// What a reader is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    /// Read a file.
    Read,
    /// Read a file under a shared lock; the text is [`locked_text`], the answer begins with its [`Manner`].
    ReadLocked,
    /// Read the newest part of a file.
    End,
    /// List a directory.
    List,
    /// Read a link.
    Link,
    /// Tell the space of a file system.
    Space,
    /// Take the rows of hardware events out of a database.
    EventRows,
    /// Ask a device; the text is [`Question`].
    Device,
    /// Become a command; the reader answers nothing and is no reader any more.
    Become,
}

impl Op {
    const ALL: [Self; 9] = [
        Self::Read,
        Self::List,
        Self::Link,
        Self::Become,
        Self::Space,
        Self::End,
        Self::EventRows,
        Self::ReadLocked,
        Self::Device,
    ];

    fn byte(self) -> u8 {
        match self {
            Self::Read => 1,
            Self::List => 2,
            Self::Link => 3,
            Self::Become => 4,
            Self::Space => 5,
            Self::End => 6,
            Self::EventRows => 7,
            Self::ReadLocked => 8,
            Self::Device => 9,
        }
    }
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ask {
    /// What to do.
    pub(super) op: Op,
    /// Most bytes of the answer.
    pub(super) limit_bytes: u64,
    /// A path, [`Question`] or [`Launch`].
    pub(super) text: Vec<u8>,
}

impl Ask {
    pub(super) fn encode(&self) -> io::Result<Vec<u8>> {
        if self.text.len() > MAX_REQUEST_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the request is too long"));
        }
        let length = u32::try_from(self.text.len()).map_err(io::Error::other)?;
        let mut bytes = MAGIC.to_vec();
        bytes.push(self.op.byte());
        bytes.extend(self.limit_bytes.to_le_bytes());
        bytes.extend(length.to_le_bytes());
        bytes.extend(&self.text);
        Ok(bytes)
    }

    /// Reads one request; `None` at the end of the input.
    pub(super) fn decode(input: &mut impl Read) -> io::Result<Option<Self>> {
        let mut magic = [0; 4];
        if input.read(magic.get_mut(..1).unwrap_or_default())? == 0 {
            return Ok(None);
        }
        input.read_exact(magic.get_mut(1..).unwrap_or_default())?;
        let ([mut op], mut limit, mut length) = ([0; 1], [0; 8], [0; 4]);
        input.read_exact(std::slice::from_mut(&mut op))?;
        input.read_exact(&mut limit)?;
        input.read_exact(&mut length)?;
        let op = Op::ALL.into_iter().find(|known| known.byte() == op);
        let length = u32::from_le_bytes(length) as usize;
        let (Some(op), true, true) = (op, magic == MAGIC, length <= MAX_REQUEST_BYTES) else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not a request"));
        };
        let mut text = vec![0; length];
        input.read_exact(&mut text)?;
        Ok(Some(Self { op, limit_bytes: u64::from_le_bytes(limit), text }))
    }
}

/// What a response's head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Whether content follows; else a failure's JSON.
    pub(super) ok: bool,
    /// Whether the content was cut.
    pub(super) truncated: bool,
    /// Bytes that follow.
    pub(super) length: u64,
}

impl Head {
    pub(super) fn decode(bytes: &[u8; RESPONSE_HEAD_BYTES], limit_bytes: u64) -> io::Result<Self> {
        let [m0, m1, m2, m3, status, truncated, length @ ..] = *bytes;
        let length = u64::from_le_bytes(length);
        let ok = status == 0;
        let limit = if ok { limit_bytes } else { MAX_FAILURE_BYTES };
        if [m0, m1, m2, m3] != MAGIC || status > 1 || truncated > 1 || length > limit {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the reader answered with garbage"));
        }
        Ok(Self { ok, truncated: truncated == 1, length })
    }
}

/// Writes one response.
pub(super) fn respond(output: &mut impl Write, answer: Result<(Vec<u8>, bool), Failure>) -> io::Result<()> {
    let (status, (bytes, truncated)) = match answer {
        Ok(read) => (0, read),
        Err(failure) => (1, (serde_json::to_vec(&failure)?, false)),
    };
    let mut head = MAGIC.to_vec();
    head.extend([status, u8::from(truncated)]);
    head.extend((bytes.len() as u64).to_le_bytes());
    // A small answer is one message for one wake-up; a large one is not copied for that.
    if bytes.len() <= SMALL_ANSWER_BYTES {
        head.extend(&bytes);
        return output.write_all(&head);
    }
    output.write_all(&head)?;
    output.write_all(&bytes)
}

/// Most bytes that the manner of a locked reading takes, its line end included.
pub(super) const MAX_MANNER_BYTES: u64 = 128;

/// The file and its lock in one text: no path holds a zero byte.
pub(super) fn locked_text(path: &[u8], lock: &[u8]) -> Vec<u8> {
    [path, b"\0", lock].concat()
}

/// The file and its lock again.
pub(super) fn locked_paths(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|byte| *byte == 0)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// The content with the line that tells how it was read before it.
pub(super) fn with_manner(manner: Manner, content: &[u8]) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(&manner).unwrap_or_default();
    bytes.push(b'\n');
    bytes.extend(content);
    bytes
}

/// Takes that line off again.
pub(super) fn split_manner(bytes: &mut Vec<u8>) -> Option<Manner> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let rest = bytes.split_off(end + 1);
    let line = std::mem::replace(bytes, rest);
    serde_json::from_slice(&line).ok()
}

/// A question to a device. It travels by its name: whatever else arrives is no question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    /// What is asked.
    pub(super) query: DeviceQuery,
    /// The node's path.
    pub(super) path: OsString,
}

impl Question {
    /// The name, a zero byte, the path.
    pub(super) fn encode(&self) -> Vec<u8> {
        [self.query.slug().as_bytes(), b"\0", self.path.as_bytes()].concat()
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let at = bytes.iter().position(|byte| *byte == 0)?;
        let (slug, path) = bytes.split_at_checked(at)?;
        let query = DeviceQuery::of_slug(std::str::from_utf8(slug).ok()?)?;
        Some(Self { query, path: OsString::from_vec(path.get(1..)?.to_vec()) })
    }
}

/// A command to become: where its program may be, and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Launch {
    /// Absolute paths, best first.
    pub(super) candidates: Vec<OsString>,
    /// Arguments after the program's name.
    pub(super) arguments: Vec<OsString>,
}

impl Launch {
    /// Words end with a zero byte, which no path or argument can hold; an empty word parts the two lists.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let parts = self.candidates.iter().map(Some).chain([None]).chain(self.arguments.iter().map(Some));
        for word in parts {
            bytes.extend(word.map_or(&b""[..], |word| word.as_bytes()));
            bytes.push(0);
        }
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut words =
            bytes.strip_suffix(b"\0")?.split(|byte| *byte == 0).map(|word| OsString::from_vec(word.to_vec()));
        let candidates: Vec<_> = words.by_ref().take_while(|word| !word.is_empty()).collect();
        Some(Self { candidates, arguments: words.collect() })
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_request_comes_back_as_it_was_sent() {
        fn check(op: Op, limit_bytes: u64, text: &[u8]) {
            let ask = Ask { op, limit_bytes, text: text.to_vec() };
            let bytes = ask.encode().expect("short enough");
            assert_eq!(Ask::decode(&mut bytes.as_slice()).expect("own output"), Some(ask));
            for cut in 1..bytes.len() {
                assert!(Ask::decode(&mut bytes.get(..cut).expect("a part")).is_err());
            }
        }
        check(Op::Read, 0, b"/proc/mdstat");
        check(Op::List, u64::MAX, b"/\xff\n");
        check(Op::Link, 1, b"");
        check(Op::Space, 1, b"/mnt");
        check(Op::Become, 7, &[0; 100]);
        check(Op::Device, 7, b"ata-identify\0/dev/sda");
        assert_eq!(Ask::decode(&mut &b""[..]).expect("the end"), None);
        assert!(Ask { op: Op::Read, limit_bytes: 0, text: vec![0; MAX_REQUEST_BYTES + 1] }.encode().is_err());
    }

    #[test]
    fn garbage_is_no_message() {
        fn check(bytes: &[u8]) {
            assert!(!matches!(Ask::decode(&mut &*bytes), Ok(Some(_))), "{bytes:?}");
            let mut head = [0; RESPONSE_HEAD_BYTES];
            head.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
            assert!(Head::decode(&head, 100).is_err(), "{bytes:?}");
        }
        check(b"ASY1\x63\0\0\0\0\0\0\0\0\0\0\0\0");
        check(b"ASY2\x01\0\0\0\0\0\0\0\0\0\0\0\0");
        check(b"ASY1\x01\x02\0\0\0\0\0\0\0\xff\xff\xff\xff");
        check(b"ASY1\0\0\xff\xff\xff\xff\xff\xff\xff\xff");
        // The same bytes on every run: a small generator with a fixed seed.
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for length in 0..2000 {
            let bytes: Vec<u8> = (0..length % 40)
                .map(|_| {
                    state =
                        state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    (state >> 56) as u8
                })
                .collect();
            check(&bytes);
        }
    }

    #[test]
    fn a_manner_stands_before_the_content() {
        fn check(content: &[u8], age_s: Option<i64>) {
            let manner = Manner { locked: true, age_s };
            let mut bytes = with_manner(manner, content);
            assert!(bytes.len() as u64 <= content.len() as u64 + MAX_MANNER_BYTES);
            assert_eq!((split_manner(&mut bytes), bytes.as_slice()), (Some(manner), content));
        }
        check(b"15,4\n", Some(i64::MIN));
        check(b"", None);
        check(b"\n\n", Some(0));
        assert_eq!(split_manner(&mut Vec::new()), None);
        assert_eq!(locked_paths(&locked_text(b"/a", b"/b")), Some((&b"/a"[..], &b"/b"[..])));
        assert_eq!(locked_paths(b"/a"), None);
    }

    #[test]
    fn a_response_says_its_length() {
        let mut bytes = Vec::new();
        respond(&mut bytes, Ok((vec![7; 5], true))).expect("memory");
        let head = bytes.first_chunk().expect("a head");
        assert_eq!(Head::decode(head, 5).expect("fits"), Head { ok: true, truncated: true, length: 5 });
        assert!(Head::decode(head, 4).is_err());
    }

    #[test]
    fn a_question_comes_back_as_it_was_sent() {
        for query in DeviceQuery::all() {
            let question = Question { query, path: "/dev/sda".into() };
            assert_eq!(Question::decode(&question.encode()), Some(question));
        }
        for odd in [&b""[..], b"ata-identify", b"ata-security-erase\0/dev/sda", b"\xff\0/dev/sda"] {
            assert_eq!(Question::decode(odd), None);
        }
    }

    #[test]
    fn a_launch_comes_back_as_it_was_sent() {
        fn check(candidates: &[&str], arguments: &[&str]) {
            let words = |list: &[&str]| list.iter().map(OsString::from).collect();
            let launch = Launch { candidates: words(candidates), arguments: words(arguments) };
            assert_eq!(Launch::decode(&launch.encode()), Some(launch));
        }
        check(&["/sbin/a", "/bin/a"], &["-x", "", "b c"]);
        check(&["/sbin/a"], &[]);
        check(&[], &["x"]);
        assert_eq!(Launch::decode(b""), None);
        assert_eq!(Launch::decode(b"/sbin/a"), None);
    }
}
