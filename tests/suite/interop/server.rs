//! Our agent uploads to `@tus/server`, which stands in the portal's place: same address, same certificate.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use assay_bundle::digest::sha256_hex;
use assay_uploader::State;
use serde_json::{Value, json};

use super::script;
use crate::support::Guarded;
use crate::upload::Bench;
use crate::upload::cutting_proxy::CuttingProxy;

/// A bundle of 4 MiB through a line that is cut every 300 KB. A tus server keeps what arrived of a part, our portal does
/// not: the agent goes on from wherever it is told. And every call that it made is taken by npm's library.
#[test]
fn our_agent_uploads_to_a_foreign_tus_server() {
    const CUT_AFTER: u64 = 300_000;

    let mut bench = Bench::start();
    let (sha256, size_bytes) = bench.spool_noise(4 << 20);
    let key = bench.device_key();
    let folder = bench.path("tus");
    let task = json!({
        "url": bench.url,
        "ca": bench.path("portal/ca.pem"),
        "tls_key": bench.path("portal/tls.key"),
        "online_key": bench.path("portal/online.key"),
        "folder": folder,
        "public_key": key.public().to_openssh(),
        "key_id": key.public().fingerprint(),
    });
    let mut command = script("tus_server.mjs", &bench.path("portal/ca.pem"));
    command.arg(task.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut server = Guarded(command.spawn().expect("it starts"));
    let mut says = BufReader::new(server.0.stdout.take().expect("its output")).lines();
    let mut next = || says.next().expect("it goes on").expect("text");
    assert_eq!(next(), "ready");
    bench.portal = None;
    server.0.stdin.as_mut().expect("its input").write_all(b"\n").expect("it reads");
    assert_eq!(next(), "listening");

    let proxy = CuttingProxy::start(CUT_AFTER);
    let told = bench.run(&["upload", "--proxy", &format!("http://{}", proxy.address)]);
    assert!(told.contains("accepted"), "{told}");
    assert!(matches!(bench.only_entry().meta.state, State::Done { .. }), "{:?}", bench.only_entry());
    let cuts = proxy.cuts();
    assert!(cuts >= size_bytes / CUT_AFTER, "only {cuts} cuts");

    let files = fs::read_dir(folder.join("files")).expect("its files").flatten().map(|file| file.path());
    let whole: Vec<_> = files.filter(|path| path.extension().is_none()).collect();
    assert_eq!(whole.len(), 1, "{whole:?}");
    assert_eq!(sha256_hex(&fs::read(&whole[0]).expect("the file")), sha256);

    let calls = fs::read_to_string(folder.join("calls")).expect("its calls");
    let calls: Vec<Value> = calls.lines().map(|line| serde_json::from_str(line).expect("a call")).collect();
    for method in ["POST", "HEAD", "PATCH", "GET"] {
        assert!(calls.iter().any(|call| call["method"] == method), "no {method}");
    }
    for call in &calls {
        assert_eq!(call["taken"], true, "{call}");
    }
    super::signatures::judge_captured(&calls, &key, &bench.path("portal/ca.pem"));
}
