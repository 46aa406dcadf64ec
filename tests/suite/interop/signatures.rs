//! npm's and Python's libraries for RFC 9421 judge our calls. That the portal judges theirs is in [`super::clients`],
//! where every call is signed by one of them.

use std::path::Path;

use assay_bundle::keys::SigningKey;
use reqwest::Method;
use serde_json::{Value, json};

use super::run;
use crate::portal::server::{Call, Device, Server};

/// The programs that judge.
const JUDGES: [&str; 2] = ["verify.mjs", "verify.py"];

/// A call for a judge: who is said to have signed it, and the call.
fn case(key: &SigningKey, key_id: &str, call: &Value, headers: Value) -> Value {
    json!({
        "public_key": key.public().to_openssh(),
        "key_id": key_id,
        "method": call["method"],
        "url": call["url"],
        "headers": headers,
    })
}

/// Both judges take the calls that a real agent made, and refuse each with another key behind the same name, and each
/// with another digest, method or address.
pub(super) fn judge_captured(calls: &[Value], key: &SigningKey, ca: &Path) {
    let (stranger, id) = (SigningKey::generate().expect("a key"), key.public().fingerprint());
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for call in calls {
        let headers = &call["headers"];
        good.push(case(key, &id, call, headers.clone()));
        bad.push(case(&stranger, &id, call, headers.clone()));
        let mut other = call.clone();
        other["method"] = json!("DELETE");
        bad.push(case(key, &id, &other, headers.clone()));
        let mut other = call.clone();
        other["url"] = json!(format!("{}?x", call["url"].as_str().expect("a URL")));
        bad.push(case(key, &id, &other, headers.clone()));
        if headers["content-digest"].is_string() {
            let mut headers = headers.clone();
            headers["content-digest"] = json!(assay_bundle::httpsig::content_digest(b"another part"));
            bad.push(case(key, &id, call, headers));
        }
    }
    assert!(bad.len() > 3 * good.len(), "no call carried a digest");
    judged(&good, &bad, ca);
}

fn judged(good: &[Value], bad: &[Value], ca: &Path) {
    let all = Value::Array([good, bad].concat());
    for judge in JUDGES {
        let verdicts = run(judge, ca, &all);
        let verdicts = verdicts.as_array().expect("verdicts");
        assert_eq!(verdicts.len(), good.len() + bad.len(), "{judge}");
        let (taken, refused) = verdicts.split_at(good.len());
        for (verdict, case) in taken.iter().zip(good) {
            assert_eq!(verdict, &json!(true), "{judge}: {case}");
        }
        for (verdict, case) in refused.iter().zip(bad) {
            assert!(verdict.as_str().is_some_and(|why| why.len() > 5), "{judge} took {case}: {verdict}");
        }
    }
}

/// A signature counts for as long as its profile says, for their libraries as for ours.
#[tokio::test]
async fn old_calls_of_ours_are_refused_by_foreign_libraries() {
    let server = Server::start();
    let device = Device::new("Q123");
    let signed = |clock_s: i64| {
        let call = Call {
            method: Method::POST,
            path: "/api/v1/reports?x=1".to_owned(),
            body: Some(b"{}".to_vec()),
            clock_s,
            ..Call::default()
        };
        let request = device.signed(&server, &call).build().expect("a request");
        let headers = request.headers().iter();
        let headers = headers.map(|(name, value)| (name.to_string(), json!(value.to_str().expect("text"))));
        let wire = json!({"method": request.method().as_str(), "url": request.url().as_str()});
        case(&device.key, &device.key.public().fingerprint(), &wire, Value::Object(headers.collect()))
    };
    judged(&[signed(0)], &[signed(-4000)], &server.data("ca.pem"));
}
