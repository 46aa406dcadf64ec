//! The words of the gate and the shapes of secrets. The patterns are asked only about lines in which the gate found a
//! word that hints at them.

use regex::bytes::{Regex, RegexBuilder};

use super::gate::Gate;
use super::words::{self, AMBIGUOUS_TOP_LEVEL, TOP_LEVEL};

/// What a word of the gate hints at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hint {
    /// Part of a field's name that [`super::field::of`] judges.
    Field,
    /// The word `user` or the like, for prose such as `for user bob`.
    User,
    /// The word `share` or `shared folder`, for prose such as `share "x"`.
    Share,
    /// Something that begins like a token.
    Token,
    /// `Bearer `.
    Bearer,
    /// `://`.
    Url,
    /// `@`.
    At,
    /// Two slashes or backslashes: a network path.
    Unc,
    /// A path below which names are the owner's.
    Path,
    /// The end of a domain name.
    Domain {
        /// Whether it could as well be something else.
        ambiguous: bool,
    },
    /// A command that takes a secret as an option.
    Command,
    /// An iSCSI name.
    Iqn,
    /// A name that the door was told.
    Learned,
    /// A serial number or world wide name that the level masks.
    Serial,
}

impl Hint {
    /// One bit of a set for each hint; both kinds of domain share theirs.
    pub(super) fn bit(self) -> u16 {
        1 << match self {
            Self::Field => 0,
            Self::User => 1,
            Self::Share => 2,
            Self::Token => 3,
            Self::Bearer => 4,
            Self::Url => 5,
            Self::At => 6,
            Self::Unc => 7,
            Self::Path => 8,
            Self::Domain { .. } => 9,
            Self::Command => 10,
            Self::Iqn => 11,
            Self::Learned => 12,
            Self::Serial => 13,
        }
    }
}

/// A word of the gate found in a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hit {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) hint: Hint,
}

const FIELDS: &[&str] = &[
    "pass",
    "pwd",
    "pw",
    "psk",
    "secret",
    "token",
    "community",
    "apikey",
    "api_key",
    "api-key",
    "api key",
    "privatekey",
    "private_key",
    "private-key",
    "private key",
    "privkey",
    "accesskey",
    "access_key",
    "access-key",
    "access key",
    "encryption key",
    "encryption_key",
    "encryption-key",
    "encryptionkey",
    "enckey",
    "enc_key",
    "masterkey",
    "master_key",
    "master-key",
    "master key",
    "volumekey",
    "volume_key",
    "volume key",
    "lukskey",
    "luks_key",
    "wepkey",
    "wep_key",
    "wep key",
    "wpakey",
    "wpa_key",
    "sshkey",
    "ssh_key",
    "licensekey",
    "license_key",
    "license key",
    "licence key",
    "activationkey",
    "activation_key",
    "activation key",
    "productkey",
    "product_key",
    "product key",
    "recoverykey",
    "recovery_key",
    "recovery key",
    "recovery code",
    "recovery_code",
    "sessionkey",
    "session_key",
    "session key",
    "sessionid",
    "session_id",
    "session-id",
    "session id",
    "sessid",
    "signingkey",
    "signing_key",
    "authkey",
    "auth_key",
    "auth-key",
    "sid",
    "credential",
    "auth",
    "cookie",
    "otp",
    "jwt",
    "sharedkey",
    "shared_key",
    "shared-key",
    "shared key",
    "pincode",
    "hostname",
    "host_name",
    "host-name",
    "host name",
    "nodename",
    "computername",
    "computer name",
    "netbios",
    "servername",
    "server_name",
    "server name",
    "nas name",
    "workgroup",
    "host",
    "ssid",
    "mac",
    "hwaddr",
    "hw addr",
    "physical address",
    "logname",
    "login",
    "account",
    "accesskeyid",
];

const TOKENS: &[&str] = &[
    "eyj",
    "akia",
    "asia",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "xoxa-",
    "xoxr-",
    "xoxs-",
    "sk_live_",
    "sk_test_",
    "rk_live_",
    "sk-",
    "aiza",
    "npm_",
    "hf_",
    "ya29.",
    "age-secret-key-",
    "$1$",
    "$2a$",
    "$2b$",
    "$2y$",
    "$5$",
    "$6$",
    "$7$",
    "$y$",
    "$gy$",
    "$apr1$",
    "$argon2",
    "$pbkdf2",
    "{ssha",
    "{sha",
    "{crypt}",
    "{md5}",
    "dop_v1_",
    "sg.",
    "whsec_",
    "pypi-",
    "tskey-",
];

/// Each alternative is a secret as a whole, by its own shape, wherever it stands.
const TOKEN_SHAPES: &[(&str, &str)] = &[
    ("token", r"eyJ[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]+){1,4}\.?"),
    ("api-key", r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    ("token", r"\bgh[pousr]_[A-Za-z0-9]{16,}"),
    ("token", r"\bgithub_pat_[A-Za-z0-9_]{16,}"),
    ("token", r"\bglpat-[A-Za-z0-9_-]{16,}"),
    ("token", r"\bxox[abprs]-[A-Za-z0-9-]{8,}"),
    ("api-key", r"\b[sr]k_(?:live|test)_[A-Za-z0-9]{8,}"),
    ("api-key", r"\bsk-[A-Za-z0-9_-]{20,}"),
    ("api-key", r"\bAIza[A-Za-z0-9_-]{30,}"),
    ("token", r"\b(?:npm|hf)_[A-Za-z0-9]{20,}"),
    ("token", r"\b(?:dop_v1_|whsec_|pypi-|tskey-)[A-Za-z0-9_-]{16,}"),
    ("token", r"\bya29\.[A-Za-z0-9_-]{10,}"),
    ("api-key", r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    ("private-key", r"(?i:AGE-SECRET-KEY-)[A-Za-z0-9-]*"),
    ("hash", r"\$(?:[1567]|2[abxy]?|g?y|apr1|argon2[a-z]*|pbkdf2[a-z0-9-]*)\$[./A-Za-z0-9$=,+-]{8,}"),
    ("hash", r"(?i:\{(?:s?sha(?:256|512)?|crypt|md5)\})[A-Za-z0-9+/=$.]{8,}"),
];

/// Commands that are told a secret by an option; the group `s` is the secret.
const COMMANDS: &[(&str, &str)] = &[
    ("password", r"\bsshpass\s+-p\s*(?P<s>\S+)"),
    (
        "password",
        r"(?:^|[\s;])(?:-u[ =]*|--(?:proxy-)?user[ =]+)(?:\\?[\x22'])?[A-Za-z0-9._@\\-]+:(?P<s>[^\s\x22']+)",
    ),
    ("password", r"(?:^|[\s;])-U[ =]*(?:\\?[\x22'])?[A-Za-z0-9._@\\/-]+%(?P<s>[^\s\x22']+)"),
    ("password", r"(?i:mysql|mysqldump|mariadb)\S*\s(?:.{0,80}\s)?-p(?P<s>[^\s\x22']+)"),
    ("community", r"\bsnmp\w+\s(?:.{0,80}\s)?-c\s*(?P<s>[^\s\x22']+)"),
    ("password", r"\bsnmp\w+\s(?:.{0,80}\s)?-[AX]\s*(?P<s>[^\s\x22']+)"),
    ("password", r"\bldap\w+\s(?:.{0,80}\s)?-w\s*(?P<s>[^\s\x22']+)"),
    ("password", r"\bipmitool\s(?:.{0,80}\s)?-P\s*(?P<s>[^\s\x22']+)"),
    ("password", r"\brsync\w*\s.{0,80}RSYNC_PASSWORD\s(?P<s>[^\s\x22']+)"),
];
const COMMAND_WORDS: &[&str] =
    &["sshpass", " -u", "--user", "--proxy-user", "mysql", "mariadb", "snmp", "ldap", "ipmitool"];

/// The compiled rules.
pub(super) struct Rules {
    /// What says whether a rule has to look.
    pub(super) gate: Gate,
    /// Token shapes with their kinds.
    pub(super) tokens: Vec<(&'static str, Regex)>,
    /// Commands with the kinds of their secrets.
    pub(super) commands: Vec<(&'static str, Regex)>,
}

/// The name of a rule that does not compile, and why.
pub(super) type Broken = (String, Box<dyn std::error::Error + Send + Sync>);

impl Rules {
    pub(super) fn compile() -> Result<Self, Broken> {
        Ok(Self {
            gate: Gate::new(gate_words().into_iter().map(|(word, hint)| (word.into(), hint)).collect()),
            tokens: all(TOKEN_SHAPES)?,
            commands: all(COMMANDS)?,
        })
    }
}

/// All words of the gate with their hints.
pub(super) fn gate_words() -> Vec<(&'static str, Hint)> {
    let mut gate: Vec<(&str, Hint)> = Vec::new();
    let mut add = |list: &[&'static str], hint: Hint| gate.extend(list.iter().map(|w| (*w, hint)));
    add(FIELDS, Hint::Field);
    add(
        &[
            "user",
            "user name",
            "account name",
            "login name",
            "share",
            "share name",
            "shared folder",
            "shared_folder",
            "folder name",
            "folder_name",
        ],
        Hint::Field,
    );
    add(&["user", "account"], Hint::User);
    add(&["share", "shared folder"], Hint::Share);
    add(TOKENS, Hint::Token);
    add(&["bearer "], Hint::Bearer);
    add(&["://"], Hint::Url);
    add(&["@"], Hint::At);
    add(&["//", r"\\"], Hint::Unc);
    add(&["/share/", "/home/", "/homes/", "/users/", r"\users\", "/export/"], Hint::Path);
    add(COMMAND_WORDS, Hint::Command);
    add(&["iqn."], Hint::Iqn);
    let ends = |list, ambiguous| words::all(list).map(move |end| (end, Hint::Domain { ambiguous }));
    gate.extend(ends(TOP_LEVEL, false).chain(ends(AMBIGUOUS_TOP_LEVEL, true)));
    gate
}

fn all(list: &[(&'static str, &str)]) -> Result<Vec<(&'static str, Regex)>, Broken> {
    list.iter().map(|(kind, pattern)| Ok((*kind, regex(kind, pattern)?))).collect()
}

pub(super) fn regex(name: &str, pattern: &str) -> Result<Regex, Broken> {
    // 2 MB is ten times what the largest needs; a larger one is a mistake in a pattern.
    RegexBuilder::new(pattern)
        .unicode(false)
        .size_limit(2 << 20)
        .build()
        .map_err(|e| (name.to_owned(), e.into()))
}
