//! Packs a small recipe, has the independent validator and our own reader judge it and many damaged copies.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use super::*;

const HEADER: &str = "#!/bin/sh
# @ARCH@
script_len=@SCRIPT_LEN@
ctrl_len=@CTRL_LEN@
data_len=@DATA_LEN@
dd if=\"$0\" bs=$script_len skip=1 2>/dev/null | tar -xO | tar -xz -C \"$1\" || exit 1
dd if=\"$0\" bs=$((script_len + ctrl_len)) skip=1 2>/dev/null | head -c $data_len | tar -xz -C \"$1\" || exit 1
exit 10
";

/// A folder of one test, gone at its end.
struct Place(PathBuf);

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Place {
    fn new(name: &str) -> Self {
        let place = Self(std::env::temp_dir().join(format!("assay-qpkg-{name}-{}", std::process::id())));
        let put = |path: &str, bytes: &[u8]| {
            let path = place.0.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        };
        put("recipe/header.sh", HEADER.as_bytes());
        put("recipe/control/qpkg.cfg", b"QPKG_NAME=\"Assay\"\nQPKG_VER=\"0.7.0\"\n");
        put("recipe/control/qinstall.sh", b"#!/bin/sh\n");
        put("recipe/control/package_routines", b"\n");
        put("recipe/shared/Assay.sh", b"#!/bin/sh\nexit 0\n");
        put("recipe/shared/icons/Assay.gif", b"GIF89a");
        put("agent", &(0..200_000_u32).flat_map(u32::to_le_bytes).collect::<Vec<u8>>());
        put("smart", b"\x7fELF");
        place
    }

    fn pack(&self, sign: Option<&str>) -> Result<Vec<u8>> {
        let pack = Pack {
            arch: Arch::ArmX41,
            binary: self.0.join("agent"),
            smartctl: self.0.join("smart"),
            recipe: self.0.join("recipe"),
            code_sign_cmd: sign.map(str::to_owned),
            output: PathBuf::new(),
        };
        build(&pack, 1_700_000_000)
    }

    /// What the validator says.
    fn judged(&self, bytes: &[u8]) -> String {
        let file = self.0.join("judged.qpkg");
        fs::write(&file, bytes).unwrap();
        let script = crate::sh::root().join("tests/qpkg/validate.py");
        let output = Command::new("python3").arg("-B").arg(script).arg(&file).output().expect("python3");
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.success(), output.stdout == b"accepted\n");
        String::from_utf8(output.stdout).unwrap()
    }
}

#[test]
fn a_package_is_accepted_and_is_the_same_each_time() {
    let place = Place::new("good");
    let plain = place.pack(None).unwrap();
    let signed = place.pack(Some("sha256sum")).unwrap();
    assert_eq!(place.judged(&plain), "accepted\n");
    assert_eq!(place.judged(&signed), "accepted\n");
    assert_eq!(plain, place.pack(None).unwrap());

    // What is signed is everything before the area, and it does not change by being signed.
    let body = plain.len() - layout::TAIL;
    assert_eq!(plain[..body], signed[..body]);
    let want = pipe(&mut Command::new("sha256sum"), &plain[..body]).unwrap();
    assert_eq!(layout::parse(&signed).unwrap().signature, Some(want.as_slice()));
    assert!(layout::parse(&plain).unwrap().signature.is_none());

    let lines = inspect(&plain).unwrap().join("\n");
    for words in
        ["package    Assay 0.7.0", "signature  none", "0755    800000 assay", "icons/Assay.gif", "built_info"]
    {
        assert!(lines.contains(words), "{words}: {lines}");
    }
}

#[test]
fn the_script_of_a_package_unpacks_it() {
    let place = Place::new("unpacks");
    let file = place.0.join("a.qpkg");
    fs::write(&file, place.pack(None).unwrap()).unwrap();
    for shell in ["sh", "bash"] {
        let into = place.0.join(shell);
        fs::create_dir(&into).unwrap();
        let status = Command::new(shell).arg(&file).arg(&into).status().unwrap();
        assert_eq!(status.code(), Some(10), "{shell}");
        assert_eq!(fs::read(into.join("assay")).unwrap(), fs::read(place.0.join("agent")).unwrap());
        assert_eq!(fs::read_to_string(into.join("built_info")).unwrap(), "time = 20231114\n");
    }
}

#[test]
fn damaged_packages_are_refused_by_both() {
    let place = Place::new("bad");
    let good = place.pack(Some("echo signature")).unwrap();
    let size = good.len();
    let (script, control, data) = {
        let parts = layout::parse(&good).unwrap();
        (parts.script.len(), parts.control.len(), parts.data.len())
    };
    let area = script + control + data;
    type Damage = Box<dyn Fn(&mut Vec<u8>)>;
    let at = |place: usize, byte: u8| -> Damage { Box::new(move |file| file[place] = byte) };
    let swap = |from: &'static str, to: &'static str| -> Damage {
        Box::new(move |file| {
            let found = file.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
            file.splice(found..found + from.len(), to.bytes());
        })
    };
    let cases: Vec<(&str, Damage)> = vec![
        ("first line", at(0, b'%')),
        ("script_len gone", swap("script_len=", "script_lem=")),
        ("script_len no number", swap("script_len=", "script_len=x")),
        ("script_len of one digit more", swap("script_len=", "script_len=9")),
        ("ctrl_len gone", swap("ctrl_len=", "ctrl_lem=")),
        ("data_len gone", swap("data_len=", "data_lem=")),
        ("ctrl_len too big", swap("ctrl_len=1", "ctrl_len=9")),
        ("a line longer", swap("exit 10", "exit 10 ")),
        ("name in the control tar", at(script, b'x')),
        ("sum in the control tar", at(script + 150, b'9')),
        ("magic of the control tar", at(script + 257, b'x')),
        ("control gzip magic", at(script + 512, 0)),
        ("control gzip content", at(script + 512 + 60, 0x55)),
        ("end of the control tar", at(script + control - 1, 1)),
        ("data gzip magic", at(script + control, 0)),
        ("data content", Box::new(move |file| file[script + control + data / 2] ^= 0x5a)),
        ("data gzip sum", Box::new(move |file| file[area - 6] ^= 1)),
        ("data gzip length", Box::new(move |file| file[area - 1] ^= 1)),
        ("area mark", at(area, b'X')),
        ("signature kind", at(area + 3, 7)),
        ("signature length", at(area + 7, 200)),
        ("end kind", at(size - 105, 254)),
        ("end length", at(size - 101, 1)),
        ("model", at(size - 100, b'T')),
        ("spaces", at(size - 85, b'x')),
        ("checksum", Box::new(move |file| file[size - 55] ^= 1)),
        ("firmware version", at(size - 45, b'5')),
        ("no name", at(size - 40, b' ')),
        ("name with a control byte", at(size - 38, 7)),
        ("no version", Box::new(move |file| file[size - 20..size - 10].fill(b' '))),
        ("flag", at(size - 8, b'Q')),
        ("cut by one", Box::new(|file| file.truncate(file.len() - 1))),
        ("cut to half", Box::new(|file| file.truncate(file.len() / 2))),
        ("only a tail", Box::new(move |file| drop(file.drain(..size - 100)))),
        ("empty", Box::new(Vec::clear)),
        ("a byte more", Box::new(|file| file.push(b'\n'))),
        ("a byte between", Box::new(move |file| file.insert(area, 0))),
    ];
    for (name, damage) in cases {
        let mut file = good.clone();
        damage(&mut file);
        assert_ne!(file, good, "{name} changes nothing");
        let said = place.judged(&file);
        assert!(said.starts_with("refused: "), "validator, {name}: {said}");
        assert!(inspect(&file).is_err(), "inspect, {name}");
    }
}

#[test]
fn a_recipe_that_cannot_work_is_refused_with_its_reason() {
    let check = |name: &str, path: &str, text: &str, reason: &str| {
        let place = Place::new(name);
        fs::write(place.0.join("recipe").join(path), text).unwrap();
        let said = format!("{:#}", place.pack(None).expect_err(name));
        assert!(said.contains(reason), "{name}: {said}");
    };
    let config = "control/qpkg.cfg";
    check("long", config, "QPKG_NAME=Assay\nQPKG_VER=0.7.0-long.1\n", "1 to 10 plain characters");
    check("no-version", config, "QPKG_NAME=Assay\n", "no QPKG_VER");
    check("no-length", "header.sh", "#!/bin/sh\nexit 10\n", "@SCRIPT_LEN@ exactly once");
    check("in-the-way", "shared/assay", "", "in the way of the program");
    let place = Place::new("unsigned");
    assert!(format!("{:#}", place.pack(Some("exit 3")).unwrap_err()).contains("--code-sign-cmd"));
    assert!(format!("{:#}", place.pack(Some("cat >/dev/null")).unwrap_err()).contains("no signature"));
}
