//! What passed the door comes out as it went in, in both forms, whatever it is.

use std::collections::BTreeMap;
use std::process::Command;

use assay_bundle::archive::{ArchiveError, PayloadForm};
use assay_bundle::manifest::{Manifest, RunSource};
use assay_bundle::seal::SealError;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::{content, draft, key, open, open_with, seal_with, small_content};
use crate::support::{Rng, replay};

/// A new age identity: its text, and its recipient.
pub(crate) fn age_identity() -> (String, String) {
    let out = Command::new("age-keygen").output().expect("age-keygen is needed: apt-get install age");
    assert!(out.status.success(), "age-keygen failed");
    let text = String::from_utf8(out.stdout).expect("an identity file is text");
    let recipient =
        text.lines().find_map(|l| l.strip_prefix("# public key: ")).expect("a recipient").to_owned();
    (text, recipient)
}

#[test]
fn both_forms_open_to_what_passed_the_door() {
    let (identity, recipient) = age_identity();
    let (content, cleaned) = small_content();
    let receipt = content.receipt.clone();
    let (manifest, plain, sealed) =
        seal_with(draft(RunSource::Live), content, std::slice::from_ref(&recipient)).expect("it seals");
    assert_eq!(manifest.recipients, std::slice::from_ref(&recipient));
    assert_eq!(manifest.redaction.rule_set, receipt.rule_set);
    assert_eq!(manifest.redaction.level, "standard");
    for (file, form, identity) in
        [(&plain, PayloadForm::Plain, None), (&sealed, PayloadForm::Sealed, Some(&identity))]
    {
        let (envelope, mut kept, listed) =
            open_with(file, &key().public(), identity.map(String::as_str)).expect("it opens");
        assert_eq!((envelope.form, &envelope.manifest), (form, &manifest));
        let redaction = kept.0.remove("redaction.json").expect("the receipt is always there");
        assert_eq!(
            serde_json::from_slice::<assay_bundle::redact::Receipt>(&redaction).expect("JSON"),
            receipt
        );
        assert_eq!(kept.0, cleaned);
        assert_eq!(listed.len(), cleaned.len() + 1);
    }
    let refused = open(&sealed).map(drop).expect_err("it is encrypted");
    assert!(
        matches!(&refused, ArchiveError::NeedsIdentity { recipients } if *recipients == recipient),
        "{refused}"
    );
    let (other, _) = age_identity();
    let refused = open_with(&sealed, &key().public(), Some(&other)).map(drop);
    assert!(matches!(refused, Err(ArchiveError::Decrypt)), "{refused:?}");
}

#[test]
fn nothing_is_sealed_that_passed_no_door() {
    let (mut content, _) = small_content();
    content.receipt.rule_set = 0;
    let refused = seal_with(draft(RunSource::Live), content, &[]).map(|(manifest, ..)| manifest.seq);
    assert!(matches!(refused, Err(SealError::Unredacted(_))), "{refused:?}");
    let (mut content, _) = small_content();
    content.entries.push(content.entries[0].clone());
    let refused = seal_with(draft(RunSource::Live), content, &[]).map(|(manifest, ..)| manifest.seq);
    assert!(matches!(refused, Err(SealError::Name(_))), "{refused:?}");
}

#[test]
fn only_a_live_run_is_signed_as_evidence() {
    for (source, namespace) in [
        (RunSource::Live, "assay-bundle"),
        (RunSource::Recorded, "assay-replay"),
        (RunSource::Judged, "assay-replay"),
    ] {
        let (manifest, plain, _) = seal_with(draft(source), small_content().0, &[]).expect("it seals");
        assert_eq!(manifest.namespace(), namespace);
        let (envelope, ..) = open(&plain).expect("it opens");
        let verify = |namespace: &str| {
            assay_bundle::sshsig::verify(
                &key().public(),
                namespace,
                &envelope.manifest_bytes,
                &envelope.signature,
            )
        };
        for other in ["assay-bundle", "assay-replay", "assay-receipt", "assay-request", ""] {
            assert_eq!(verify(other).is_ok(), other == namespace, "{source:?} under {other:?}");
        }
    }
}

/// A large document that does not compress: what tests of broken uploads are made of.
#[test]
fn a_large_document_is_sealed() {
    let text = data_encoding::BASE64.encode(&Rng::new(5).bytes(3 << 20));
    // Words as long as a log has them: no rule is meant to look at one of four megabytes.
    let words: Vec<&str> =
        text.as_bytes().chunks(12).map(|c| std::str::from_utf8(c).expect("ASCII")).collect();
    let (content, cleaned) =
        content(&[("facts.json", serde_json::json!({ "noise": words.join(" ") }))], &BTreeMap::new());
    let (manifest, plain, _) = seal_with(draft(RunSource::Live), content, &[]).expect("it seals");
    assert!(manifest.payload.plain.size_bytes > 3 << 20, "{}", manifest.payload.plain.size_bytes);
    let (_, kept, _) = open(&plain).expect("it opens");
    assert!(kept.0.get("facts.json") == cleaned.get("facts.json"), "the document changed");
}

/// Any documents and raw files.
fn contents() -> impl Strategy<Value = (BTreeMap<String, String>, BTreeMap<String, Vec<u8>>)> {
    let document = ("[a-z]{1,120}", any::<String>()).prop_map(|(name, text)| (format!("{name}.json"), text));
    let raw = ("[a-z0-9_.-]{1,60}(/[a-z0-9_-]{1,60}){0,3}", proptest::collection::vec(any::<u8>(), 0..2000))
        .prop_map(|(path, bytes)| (format!("sys/class/{path}_input"), bytes));
    let documents = proptest::collection::btree_map("[a-z]{0,4}", document, 0..5)
        .prop_map(|found| found.into_values().collect::<BTreeMap<_, _>>());
    let raws =
        proptest::collection::vec(raw, 0..12).prop_map(|found| found.into_iter().collect::<BTreeMap<_, _>>());
    (documents, raws)
}

#[test]
fn anything_that_may_be_sealed_comes_back() {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&crate::support::seed().to_le_bytes());
    let mut runner = TestRunner::new_with_rng(
        Config { cases: 64, failure_persistence: None, ..Config::default() },
        TestRng::from_seed(RngAlgorithm::ChaCha, &seed),
    );
    let outcome = runner.run(&contents(), |(documents, raw)| {
        let documents: Vec<(&str, serde_json::Value)> =
            documents.iter().map(|(name, text)| (name.as_str(), text.as_str().into())).collect();
        let (content, cleaned) = content(&documents, &raw);
        match seal_with(draft(RunSource::Live), content, &[]) {
            Ok((manifest, plain, _)) => {
                let (envelope, mut kept, _) = open(&plain).map_err(|e| TestCaseError::fail(e.to_string()))?;
                kept.0.remove("redaction.json");
                prop_assert_eq!(kept.0, cleaned);
                prop_assert_eq!(Manifest::parse(&envelope.manifest_bytes).ok(), Some(manifest));
            }
            // The only thing that may be wrong with such content: two names that do not go together.
            Err(SealError::Name(_)) => {}
            Err(other) => return Err(TestCaseError::fail(other.to_string())),
        }
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}\n{}", replay("bundle_format::round_trip::anything_that_may_be_sealed_comes_back"));
    }
}
