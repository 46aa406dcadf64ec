//! Planted secrets: the rules prove on every opening and shutting of the door that they still destroy what they are
//! for. The secrets come from the owner's key, so none of them stands in this source or in any bundle.

use std::borrow::Cow;

use super::line::{Cleaner, Context, Tally};

/// Kinds of secrets and the lines they hide in; `{}` is the secret.
const LINES: &[(&str, &str)] = &[
    ("password", "6,1,1,-;node.session.auth.password = {}"),
    ("password", "mount -t cifs //10.1.2.3/x /mnt -o username=u,password={},vers=3.0"),
    ("password", "admin_pw=\"{}\""),
    ("secret", "client_secret: {}"),
    ("psk", "PSK: {}"),
    ("community", "snmp community {}"),
    ("passphrase", "passphrase='{} {}'"),
    ("token", "access_token={}&x=1"),
    ("auth", "Authorization: Basic {}"),
    ("cookie", "Set-Cookie: theme={}; path=/"),
    ("url-password", "rtsp://admin:{}@[::1]/x"),
    ("session", "GET /cgi-bin/x.cgi?sid={}&y=2"),
    ("hash", "root:$6${}${}:19000:0:99999:7:::"),
    ("private-key", "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----"),
    ("private-key", "AGE-SECRET-KEY-1{}"),
    ("user", "Failed login for user {} on console"),
    ("share", "share name: {}"),
    ("path", "open /share/homes/{}/{}.xlsx failed"),
    ("mail", "mail to {}@example.net"),
    ("host", "lookup of {}.example.net timed out"),
    ("random", "blob={}"),
];

/// How many bytes of a secret in a row may be left by chance: seven characters in 32 hexadecimal digits.
const PIECE: usize = 8;

/// Plants every canary in text and in JSON and looks for any piece of it. The answer is their number, or the kind
/// that survived.
pub(super) fn test(cleaner: &Cleaner, label: &str) -> Result<u32, &'static str> {
    let mut count = 0;
    let mut unused = Tally::default();
    for (number, (kind, line)) in LINES.iter().enumerate() {
        let secret = cleaner.pseudonyms.canary(&format!("{label} {number}"));
        let secret = if *kind == "random" { mixed(&secret) } else { secret };
        let planted = line.replace("{}", &secret);
        let text = cleaner.text(&planted, Context::default(), &mut unused).into_owned();
        let document = serde_json::json!({ "why": planted, "list": [{ "line": planted }] }).to_string();
        let json = cleaner.json(&document, &mut unused).unwrap_or(Cow::Borrowed(&document));
        if survives(&text, &secret) || survives(&json, &secret) {
            return Err(kind);
        }
        count += 1;
    }
    Ok(count)
}

/// The secret as capitals, small letters and digits in turn, no two of a kind alike: random by any measure.
fn mixed(secret: &str) -> String {
    /// Steps that meet every letter and every digit before they meet one twice.
    const STEPS: [(u8, u8, u8); 3] = [(b'A', 26, 3), (b'a', 26, 5), (b'0', 10, 3)];
    let start = secret.bytes().fold(0_u8, u8::wrapping_add);
    let one = |at: u8| STEPS.map(|(first, size, step)| char::from(first + (start % size + at * step) % size));
    (0..8).flat_map(one).collect()
}

/// Whether any piece of the secret is left.
fn survives(text: &str, secret: &str) -> bool {
    let pieces = secret.len().saturating_sub(PIECE);
    (0..=pieces).any(|at| secret.get(at..at + PIECE).is_some_and(|piece| text.contains(piece)))
}
