//! The owner's recovery key: made through pipes as a person would at a terminal, opened with stock tools, and nowhere
//! on the device afterwards.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};

use super::run::{CEILING, Device, Ran, finish};
use crate::support::{Guarded, wait_for};

/// A call that asks questions.
struct Talk {
    child: Guarded,
    stdin: Option<ChildStdin>,
    out: Arc<Mutex<String>>,
    err: Arc<Mutex<String>>,
    readers: Vec<std::thread::JoinHandle<()>>,
    heard: usize,
}

fn collect(mut from: impl Read + Send + 'static) -> (Arc<Mutex<String>>, std::thread::JoinHandle<()>) {
    let text = Arc::new(Mutex::new(String::new()));
    let shared = Arc::clone(&text);
    let reader = std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            shared.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    });
    (text, reader)
}

impl Talk {
    fn start(device: &Device, arguments: &[&str]) -> Self {
        let mut command = device.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let (out, out_reader) = collect(child.stdout.take().unwrap());
        let (err, err_reader) = collect(child.stderr.take().unwrap());
        let stdin = child.stdin.take();
        Self { child: Guarded(child), stdin, out, err, readers: vec![out_reader, err_reader], heard: 0 }
    }

    /// The next question: the rest of standard error that does not end its line.
    fn question(&mut self) -> String {
        let (err, heard) = (Arc::clone(&self.err), self.heard);
        let (question, heard) = wait_for("a question", CEILING, || {
            let said = err.lock().unwrap();
            let last = said[heard..].rsplit('\n').next().unwrap_or_default();
            let asks = last.ends_with(": ") || last.ends_with("] ");
            asks.then(|| (last.to_owned(), said.len()))
        });
        self.heard = heard;
        question
    }

    fn answer(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().expect("open"), "{line}").expect("the program listens");
    }

    /// The words shown so far, in order of their numbers.
    fn words(&self) -> Vec<String> {
        let out = Arc::clone(&self.out);
        let sheet = wait_for("the sheet", CEILING, || {
            Some(out.lock().unwrap().clone()).filter(|text| text.contains("recovery-key --words"))
        });
        words_of(&sheet)
    }

    /// Answers three questions from the words shown.
    fn answer_right(&mut self) {
        for _ in 0..3 {
            let question = self.question();
            let place: usize =
                question.trim_start_matches("word ").trim_end_matches(": ").parse().expect(&question);
            let word = self.words()[place - 1].clone();
            self.answer(&word.to_uppercase());
        }
    }

    fn end(mut self) -> Ran {
        drop(self.stdin.take());
        let status = self.child.wait(CEILING);
        self.readers.drain(..).for_each(|reader| reader.join().unwrap());
        let text = |text: &Mutex<String>| text.lock().unwrap().clone();
        Ran { code: status.code().unwrap_or(-1), out: text(&self.out), err: text(&self.err) }
    }
}

/// The numbered words of a sheet.
fn words_of(sheet: &str) -> Vec<String> {
    let cells: Vec<&str> = sheet
        .lines()
        .skip(2)
        .take_while(|line| !line.starts_with("plain"))
        .flat_map(str::split_whitespace)
        .collect();
    let mut numbered: Vec<(usize, String)> =
        cells.chunks_exact(2).map(|pair| (pair[0].parse().expect("a number"), pair[1].to_owned())).collect();
    numbered.sort();
    assert_eq!(numbered.iter().map(|(n, _)| *n).collect::<Vec<_>>(), (1..=24).collect::<Vec<_>>(), "{sheet}");
    numbered.into_iter().map(|(_, word)| word).collect()
}

fn line_after<'t>(text: &'t str, name: &str) -> &'t str {
    text.lines().find_map(|line| line.strip_prefix(name)).expect(name).trim()
}

/// Makes a key and gives its words and its plain form.
fn make(device: &Device, arguments: &[&str]) -> (Vec<String>, String) {
    let mut talk = Talk::start(device, arguments);
    talk.answer_right();
    let ran = talk.end().ends(0);
    assert!(ran.err.contains("next: "), "{}", ran.err);
    let (words, plain) = (words_of(&ran.out), line_after(&ran.out, "plain key ").to_owned());
    assert_clean(&ran.err, "standard error", &words, &plain);
    (words, plain)
}

/// Asserts that a text has neither the key nor two of its words in a row.
fn assert_clean(text: &str, place: &str, words: &[String], plain: &str) {
    let lower = text.to_lowercase();
    assert!(!lower.contains(&plain.to_lowercase()[..24]), "the key is in {place}");
    let letters: String = lower.chars().map(|c| if c.is_ascii_lowercase() { c } else { ' ' }).collect();
    let letters = format!(" {} ", letters.split_whitespace().collect::<Vec<_>>().join(" "));
    for pair in words.windows(2) {
        assert!(!letters.contains(&format!(" {} {} ", pair[0], pair[1])), "{pair:?} are in {place}");
    }
}

fn assert_clean_below(folder: &Path, words: &[String], plain: &str) -> usize {
    let mut count = 0;
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        match entry.is_dir() {
            true => count += assert_clean_below(&entry, words, plain),
            false => {
                let bytes = fs::read(&entry).expect("a file");
                assert_clean(&String::from_utf8_lossy(&bytes), &entry.display().to_string(), words, plain);
                count += 1;
            }
        }
    }
    count
}

/// Runs a call with a text on its standard input.
fn fed(device: &Device, arguments: &[&str], text: &str) -> Ran {
    let input = device.path("input");
    fs::write(&input, text).unwrap();
    let mut command = device.command(arguments);
    command.stdin(fs::File::open(&input).unwrap());
    let ran = finish(command);
    fs::remove_file(input).unwrap();
    ran
}

fn shell(line: &str, folder: &Path) -> Ran {
    let mut command = Command::new("sh");
    command.args(["-euc", line]).current_dir(folder);
    finish(command)
}

#[test]
fn a_key_opens_copies_with_stock_tools_and_leaves_no_trace() {
    let device = Device::new();
    let html = device.text("key.html");
    let (words, plain) = make(&device, &["recovery-key", "new", "--answers", "--html", &html]);
    assert!(assert_clean_below(&device.state(), &words, &plain) >= 1);
    let status = device.run(&["status", "--json"]).ends(0);
    assert_clean(&status.out, "status --json", &words, &plain);
    let recipient = status.json()["recovery_key"]["recipient"].as_str().unwrap().to_owned();
    assert!(status.json()["recovery_key"]["proven_unix_s"].is_i64(), "{}", status.out);

    // Another machine, with nothing but the words: any case, four letters, over several lines.
    let elsewhere = Device::new();
    let short: Vec<String> =
        words.iter().map(|w| w.chars().take(4).collect::<String>().to_uppercase()).collect();
    let typed = format!("{}\n{}\n", short[..10].join("  "), short[10..].join(" "));
    let key = fed(&elsewhere, &["recovery-key", "--words"], &typed).ends(0);
    assert_eq!(key.out.lines().last(), Some(plain.as_str()));
    assert!(!elsewhere.state().exists(), "--words writes nothing");

    // What it prints is a key file as it is, and the commands of the sheet are the ones that work.
    let folder = device.path("stock");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("key.txt"), &key.out).unwrap();
    assert_eq!(shell("age-keygen -y key.txt", &folder).ends(0).out.trim(), recipient);
    let sealed = format!(
        "mkdir etc && echo secret > etc/passwd && tar c etc | zstd -q | age -r {recipient} > COPY && rm -r etc"
    );
    shell(&sealed, &folder).ends(0);
    let page = fs::read_to_string(&html).unwrap();
    let commands = page.split("<pre>").nth(1).unwrap().split("</pre>").next().unwrap();
    assert_eq!(commands.lines().count(), 2, "{commands}");
    assert!(key.out.contains(commands.lines().next().unwrap()));
    let listed = shell(commands, &folder).ends(0).out;
    assert!(listed.contains("etc/passwd"), "{listed}");
    assert_eq!(fs::read_to_string(folder.join("etc/passwd")).unwrap(), "secret\n");
    // The line on the sheet alone is a key file too.
    fs::write(folder.join("key.txt"), &plain).unwrap();
    shell("age -d -i key.txt COPY | zstd -d -q | tar t", &folder).ends(0);
    for (index, word) in words.iter().enumerate() {
        assert!(page.contains(&format!("<td class=\"n\">{}</td><td>{word}</td>", index + 1)), "{page}");
    }
    assert!(page.contains("<svg") && page.contains(&plain) && !page.contains("<script"), "{page}");
}

#[test]
fn without_the_words_nothing_is_kept() {
    let device = Device::new();
    device.run(&["recovery-key", "new"]).fails_with(&["nobody is here", "next: "]);
    let html = device.text("key.html");
    let mut talk = Talk::start(&device, &["recovery-key", "new", "--answers", "--html", &html]);
    for _ in 0..3 {
        talk.question();
        talk.answer("zoo zoo");
    }
    let ran = talk.end();
    let (words, plain) = (words_of(&ran.out), line_after(&ran.out, "plain key ").to_owned());
    assert_clean(&ran.err, "standard error", &words, &plain);
    ran.fails_with(&["was wrong 3 times", "not kept", "next: "]);
    assert!(!Path::new(&html).exists(), "the sheet of no key goes");
    let talk = Talk::start(&device, &["recovery-key", "new", "--answers"]);
    talk.end().fails_with(&["nobody answered"]);
    assert!(device.run(&["status", "--json"]).ends(0).json()["recovery_key"].is_null());
    assert!(!device.state().join("identity/recovery.json").exists());
    let inside = device.state().join("key.html");
    fs::create_dir_all(device.state()).unwrap();
    device
        .run(&["recovery-key", "new", "--answers", "--html", inside.to_str().unwrap()])
        .fails_with(&["may not lie below", "/dev/shm"]);
}

#[test]
fn proving_and_losing() {
    let device = Device::new();
    device.run(&["recovery-key", "prove"]).fails_with(&["no recovery key", "recovery-key new"]);
    let (first, first_plain) = make(&device, &["recovery-key", "new", "--answers"]);
    let text = first.join(" ");
    device.run(&["recovery-key", "new", "--answers"]).fails_with(&["already", "recovery-key lost"]);
    let kept = || fs::read(device.state().join("identity/recovery.json")).unwrap();
    let before = kept();
    let prove = |text: &str| fed(&device, &["recovery-key", "prove"], text);
    prove(&"zoo ".repeat(24)).fails_with(&["together they are no key", "next: "]);
    prove(&format!("{}vote", "zoo ".repeat(23))).fails_with(&["words of another key", "recovery-key lost"]);
    prove("zoo zooo").fails_with(&["word 2 is not in the list (\"zooo\")", "near it: zoo"]);
    let wrong_form = prove(&first_plain).fails_with(&["this is the plain key", "age -d -i"]);
    assert_clean(&wrong_form.err, "the refusal", &first, &first_plain);
    assert_eq!(kept(), before, "a wrong proof changes nothing");
    prove(&text).ends(0);
    let again = fed(&device, &["recovery-key", "sheet"], &text).ends(0);
    assert_eq!(words_of(&again.out), first);

    let (second, second_plain) = make(&device, &["recovery-key", "lost", "--answers"]);
    assert_ne!(first, second);
    prove(&text).fails_with(&["given up", "still open"]);
    prove(&second.join("\n")).ends(0);
    make(&device, &["recovery-key", "new", "--lost", "--answers"]);
    let status = device.run(&["status", "--json"]).ends(0).json();
    assert_eq!(status["recovery_key"]["lost"].as_array().map(Vec::len), Some(2), "{status}");
    assert!(status["recovery_key"]["warning"].is_null(), "{status}");
    let text = device.run(&["status"]).ends(0).out;
    assert_eq!(text.matches("cannot be opened").count(), 2, "{text}");
    for (words, plain) in [(&first, &first_plain), (&second, &second_plain)] {
        assert_clean_below(&device.state(), words, plain);
    }
}

#[test]
fn setup_asks_and_says_what_is_done() {
    let device = Device::new();
    device.run(&["setup"]).fails_with(&["nobody is here", "--yes"]);
    device.run(&["setup", "--json"]).ends(64);
    let state = |json: &serde_json::Value, name: &str| {
        let parts = json["parts"].as_array().unwrap();
        parts.iter().find(|part| part["name"] == name).unwrap()["state"].as_str().unwrap().to_owned()
    };
    let first = device.run(&["setup", "--yes", "--json"]).ends(0).json();
    let second = device.run(&["setup", "--yes", "--json"]).ends(0).json();
    assert_eq!(
        (state(&first, "device key"), state(&second, "device key")),
        ("done".into(), "already".into())
    );
    assert_eq!(state(&second, "recovery key"), "open");
    assert!(!device.state().join("assay.toml").exists(), "--yes keeps the settings as they are");

    let mut talk = Talk::start(&device, &["setup", "--answers"]);
    assert!(talk.question().starts_with("Make it now?"));
    talk.answer("perhaps");
    assert!(talk.question().starts_with("Make it now?"));
    talk.answer("");
    talk.answer_right();
    assert!(talk.question().starts_with("Keep it?"));
    talk.answer("n");
    assert!(talk.question().starts_with("Stricter"));
    talk.answer("y");
    let ran = talk.end().ends(0);
    assert!(ran.err.contains("nothing is sent"), "{}", ran.err);
    assert!(ran.out.contains("next") && ran.out.contains("assay check"), "{}", ran.out);
    let settings = fs::read_to_string(device.state().join("assay.toml")).unwrap();
    assert_eq!(settings, "[collect]\nredaction = \"strict\"\nrecorder = false\n");
    let third = device.run(&["setup", "--yes", "--json"]).ends(0).json();
    assert_eq!(state(&third, "recovery key"), "already", "{third}");

    // A machine that nobody sits at: the sheet alone has the key, and nobody believes it before a proof.
    let device = Device::new();
    let sheet = device.text("sheet.html");
    device.run(&["setup", "--yes", "--sheet", &sheet, "--json"]).ends(0);
    let status = device.run(&["status", "--json"]).ends(0).json();
    assert!(status["recovery_key"]["warning"].as_str().unwrap().contains("never proven"), "{status}");
    let page = fs::read_to_string(&sheet).unwrap();
    let cells: Vec<&str> = page.split("<td>").skip(1).filter_map(|cell| cell.split("</td>").next()).collect();
    let by_columns: Vec<&str> = (0..24).map(|n| cells[n % 8 * 3 + n / 8]).collect();
    fed(&device, &["recovery-key", "prove"], &by_columns.join(" ")).ends(0);
    assert!(device.run(&["status", "--json"]).ends(0).json()["recovery_key"]["warning"].is_null());
}
