//! Tables of what the profile takes and refuses, and the RFC's own example.

use super::*;
use zeroize::Zeroizing;

const NONCE: &str = "AAAAAAAAAAAAAAAAAAAAAA";
const NOW: i64 = 1_700_000_000;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(Zeroizing::new([seed; 32])).expect("a seed")
}

fn call() -> Call<'static> {
    Call {
        method: "PATCH",
        authority: "portal.example:8443",
        path: "/api/v1/uploads/7",
        query: "?",
        content_digest: Some("sha-256=:X:"),
        upload_offset: Some("0"),
        upload_length: None,
        tus_resumable: Some("1.0.0"),
    }
}

/// RFC 9421 B.1.4 (the key) and B.2.6 (base and signature): the same primitive over the RFC's own base, whose
/// components are another profile's.
#[test]
fn the_rfc_signs_as_we_do() {
    let seed = BASE64.decode(b"n4Ni+HpISpVObnQMW0wOhCKROaIKqKtW/2ZYb2p9KcU=").expect("base64");
    let key = SigningKey::from_seed(Zeroizing::new(seed.try_into().expect("32 bytes"))).expect("a seed");
    assert_eq!(BASE64.encode(&key.public().0), "JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=");
    let base = "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n\
                \"@method\": POST\n\
                \"@path\": /foo\n\
                \"@authority\": example.com\n\
                \"content-type\": application/json\n\
                \"content-length\": 18\n\
                \"@signature-params\": (\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \
                \"content-length\");created=1618884473;keyid=\"test-key-ed25519\"";
    assert_eq!(
        BASE64.encode(&key.sign(base.as_bytes())),
        "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw=="
    );
    // RFC 9530 appendix D.1 gives this digest for this body.
    let digest = content_digest(b"{\"hello\": \"world\"}\n");
    assert_eq!(digest, "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:");
}

#[test]
fn the_base_is_spelled_in_one_way() {
    let headers = sign(&key(1), &call(), NOW, NONCE);
    let id = key(1).public().fingerprint();
    let parameters = format!(
        "(\"@method\" \"@authority\" \"@path\" \"@query\" \"content-digest\" \"upload-offset\" \"tus-resumable\")\
         ;created=1700000000;expires=1700000300;nonce=\"{NONCE}\";keyid=\"{id}\";alg=\"ed25519\";tag=\"assay-v1\""
    );
    assert_eq!(headers.signature_input, format!("sig1={parameters}"));
    assert_eq!(
        signature_base(&call(), &parameters),
        format!(
            "\"@method\": PATCH\n\"@authority\": portal.example:8443\n\"@path\": /api/v1/uploads/7\n\
             \"@query\": ?\n\"content-digest\": sha-256=:X:\n\"upload-offset\": 0\n\
             \"tus-resumable\": 1.0.0\n\"@signature-params\": {parameters}"
        )
    );
}

#[test]
fn a_signature_fits_one_call_and_one_key() {
    let headers = sign(&key(1), &call(), NOW, NONCE);
    let public = key(1).public();
    let good = verify(&public, &call(), &headers, NOW).expect("signed so");
    assert_eq!((good.created, good.expires, good.nonce.as_str()), (NOW, NOW + VALID_S, NONCE));
    assert_eq!(verify(&key(2).public(), &call(), &headers, NOW), Err(HttpSigError::Mismatch));
    for other in [
        Call { method: "DELETE", ..call() },
        Call { authority: "other.example", ..call() },
        Call { path: "/api/v1/uploads/8", ..call() },
        Call { query: "?x", ..call() },
        Call { content_digest: Some("sha-256=:Y:"), ..call() },
        Call { upload_offset: Some("1"), ..call() },
        Call { tus_resumable: Some("1.0.1"), ..call() },
    ] {
        assert_eq!(verify(&public, &other, &headers, NOW), Err(HttpSigError::Mismatch), "{other:?}");
    }
    for other in [
        Call { content_digest: None, ..call() },
        Call { upload_length: Some("1"), ..call() },
        Call { method: "PATCH\n", ..call() },
    ] {
        let found = verify(&public, &other, &headers, NOW);
        assert!(matches!(found, Err(HttpSigError::Profile(_))), "{other:?}: {found:?}");
    }
}

#[test]
fn the_clock_has_edges() {
    let headers = sign(&key(1), &call(), NOW, NONCE);
    for (now, ok) in [
        (NOW - AHEAD_S - 1, false),
        (NOW - AHEAD_S, true),
        (NOW + VALID_S + LATE_S, true),
        (NOW + VALID_S + LATE_S + 1, false),
        (i64::MIN, false),
        (i64::MAX, false),
    ] {
        let found = verify(&key(1).public(), &call(), &headers, now);
        let expected = HttpSigError::Clock { created: NOW, now };
        assert_eq!(found.err(), (!ok).then_some(expected), "{now}");
    }
}

/// The order of Python's library; what was sent is what is verified.
#[test]
fn parameters_come_in_any_order() {
    let (ours, public) = (sign(&key(1), &call(), NOW, NONCE), key(1).public());
    let params = format!(
        "{};created={NOW};keyid=\"{}\";{ALGORITHM};expires={};nonce=\"{NONCE}\";{TAG}",
        covered(&call()),
        public.fingerprint(),
        NOW + VALID_S
    );
    let signature = key(1).sign(signature_base(&call(), &params).as_bytes());
    let theirs = Headers {
        signature_input: format!("sig1={params}"),
        signature: format!("sig1=:{}:", BASE64.encode(&signature)),
    };
    let expected = verify(&public, &call(), &ours, NOW);
    assert_eq!(verify(&public, &call(), &theirs, NOW), expected);
    // The order is covered: one signature does not fit another.
    let mixed = Headers { signature_input: theirs.signature_input, ..ours };
    assert_eq!(verify(&public, &call(), &mixed, NOW), Err(HttpSigError::Mismatch));
}

#[test]
fn other_spellings_are_refused() {
    let headers = sign(&key(1), &call(), NOW, NONCE);
    let check = |from: &str, to: &str| {
        let input = headers.signature_input.replacen(from, to, 1);
        assert_ne!(input, headers.signature_input, "{from:?} does not stand in it");
        let found = parameters(&call(), &input);
        assert!(matches!(found, Err(HttpSigError::Profile(_))), "{input}: {found:?}");
    };
    check("sig1=", "sig2=");
    check("sig1=", " sig1=");
    check("\"@method\" \"@authority\"", "\"@authority\" \"@method\"");
    check("\"@query\" ", "");
    check("created=1700000000;", "");
    check("created=1700000000;", "created=1700000000;created=1700000000;");
    check("created=1700000000", "created =1700000000");
    check(";created", "; created");
    check(";created", "created");
    check("created=1700000000", "created=01700000000");
    check("created=1700000000", "created=+1700000000");
    check("created=1700000000", "created=-5");
    check("created=1700000000", "created=1700000300");
    check("expires=1700000300", "expires=1700000301");
    check("expires=1700000300", "expires=9999999999999999999");
    check(NONCE, "short");
    check(NONCE, "AAAAAAAAAAAAAAAAAAAAA\u{e9}");
    check(NONCE, "AAAAAAAAAAAAAAAAAAAAA\\\"");
    check("ed25519\"", "hmac-sha256\"");
    check("assay-v1\"", "assay-v2\"");
    check("assay-v1\"", "assay-v1\";x=1");
    check("assay-v1\"", "assay-v1\", sig2=()");
    for signature in ["", "sig1=::", "sig2=:AAAA:", "sig1=AAAA", "sig1=:AAA:", "sig1=:AAAA:;x"] {
        let headers = Headers { signature: signature.to_owned(), ..headers.clone() };
        assert!(verify(&key(1).public(), &call(), &headers, NOW).is_err(), "{signature}");
    }
}
