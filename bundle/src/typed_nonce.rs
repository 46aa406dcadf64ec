//! A support request's nonce that is said over the telephone and typed: fifteen signs in three groups, `7KQ2M-…`.
//!
//! Thirteen signs of Crockford's base 32 are 65 random bits, two more are the check. A wrong sign, and two neighbours
//! in the wrong order, are always noticed; any other slip of hand passes once in 1021 times and then is no nonce that
//! a portal knows. Case, blanks and dashes do not matter; O reads as 0, I and L as 1. Refused are U, which the alphabet
//! leaves out, and every other length.
//!
//! 65 bits are enough because the code is no password: it only proves that a bundle was made *after* the request. Who
//! wants to have one ready before has to sign and keep bundles for a good part of 2^65 nonces: at a million signatures
//! a second that is a million years, and the request lives for 14 days at most. Nobody without the device's key gains
//! anything from guessing it.

use crate::digest::sha256_hex;

/// Crockford's base 32.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Signs of a code.
const SIGNS: usize = 15;
/// Signs of a group.
const GROUP: usize = 5;
/// Random bits of a code.
const BITS: u32 = 65;
/// Every code is a multiple of this: the largest prime below the 1024 values of two signs. A sign that is wrong by d
/// at place i changes the number by d·32^i, and neighbours that are exchanged by d·31·32^i: neither is a multiple.
const CHECK: u128 = 1021;

/// A code as it was typed, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypedNonce(u128);

/// Why what was typed is no code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TypedNonceError {
    /// Too few or too many signs.
    #[error("it has {0} letters and digits, and a code has {SIGNS}")]
    Length(usize),
    /// A sign that no code has.
    #[error("{0:?} is in no code: a code has digits and letters without I, L, O and U")]
    Sign(char),
    /// The check signs do not fit.
    #[error("a letter or digit is wrong, or two are in the wrong order")]
    Check,
}

impl TypedNonce {
    /// The code of 16 random bytes, of which 65 bits are used.
    pub fn of_random(bytes: [u8; 16]) -> Self {
        let number = u128::from_be_bytes(bytes) >> (u128::BITS - BITS);
        let shifted = number << 10;
        Self(shifted + (CHECK - shifted % CHECK) % CHECK)
    }

    /// Reads what was typed.
    ///
    /// # Errors
    /// When it is no code.
    pub fn parse(text: &str) -> Result<Self, TypedNonceError> {
        let signs: Vec<char> =
            text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '-' | '_')).collect();
        if signs.len() != SIGNS {
            return Err(TypedNonceError::Length(signs.len()));
        }
        let mut number = 0_u128;
        for sign in signs {
            let read = match sign.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            };
            let value = ALPHABET.iter().position(|known| char::from(*known) == read);
            let value =
                value.and_then(|value| u128::try_from(value).ok()).ok_or(TypedNonceError::Sign(sign))?;
            number = (number << 5) | value;
        }
        // Two check signs can hold more than a remainder: such a code was never made.
        if !number.is_multiple_of(CHECK) || number & 0x3ff >= CHECK {
            return Err(TypedNonceError::Check);
        }
        Ok(Self(number))
    }

    /// The nonce that it stands for, as a support request and a manifest carry it: 128 bits in lower-case hex.
    pub fn nonce(&self) -> String {
        let digest = sha256_hex(format!("assay-typed-nonce {self}").as_bytes());
        digest.get(..32).unwrap_or_default().to_owned()
    }
}

impl std::fmt::Display for TypedNonce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for place in 0..SIGNS {
            if place > 0 && place % GROUP == 0 {
                f.write_str("-")?;
            }
            let value = usize::try_from(self.0 >> (5 * (SIGNS - 1 - place)) & 31).unwrap_or_default();
            f.write_str(
                ALPHABET.get(value..=value).and_then(|s| std::str::from_utf8(s).ok()).unwrap_or("?"),
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    fn code(n: u8) -> TypedNonce {
        TypedNonce::of_random(std::array::from_fn(|at| {
            n.wrapping_mul(37).wrapping_add((at as u8).wrapping_mul(91))
        }))
    }

    #[test]
    fn what_is_said_is_read() {
        for n in 0..=255 {
            let code = code(n);
            let text = code.to_string();
            assert_eq!(text.len(), 17, "{text}");
            assert_eq!(TypedNonce::parse(&text), Ok(code));
            let sloppy = text.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
            assert_eq!(TypedNonce::parse(&sloppy), Ok(code), "{sloppy}");
            assert!(crate::statement::is_hex(&code.nonce(), 32));
        }
        assert_ne!(code(1).nonce(), code(2).nonce());
    }

    #[test]
    fn the_whole_range_has_a_code() {
        assert_eq!(TypedNonce::of_random([0; 16]).to_string(), "00000-00000-00000");
        let last = TypedNonce::of_random([0xff; 16]);
        assert!(last.to_string().starts_with("ZZZZZ-ZZZZZ-ZZZ"), "{last}");
        assert_eq!(TypedNonce::parse(&last.to_string()), Ok(last));
    }

    #[test]
    fn every_wrong_sign_and_every_exchange_of_neighbours_is_noticed() {
        for n in 0..16 {
            let good: Vec<u8> = code(n).to_string().bytes().filter(|b| *b != b'-').collect();
            let read = |bytes: &[u8]| TypedNonce::parse(std::str::from_utf8(bytes).expect("ASCII"));
            assert_eq!(read(&good), Ok(code(n)));
            for place in 0..SIGNS {
                for sign in ALPHABET {
                    let mut bad = good.clone();
                    bad[place] = *sign;
                    assert_eq!(read(&bad).is_ok(), bad == good, "{bad:?}");
                }
                if place > 0 {
                    let mut bad = good.clone();
                    bad.swap(place - 1, place);
                    assert_eq!(read(&bad).is_ok(), bad == good, "{bad:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_code_is_refused_by_its_fault() {
        fn check(text: &str, expected: TypedNonceError) {
            assert_eq!(TypedNonce::parse(text), Err(expected), "{text}");
        }
        check("", TypedNonceError::Length(0));
        check("ABCD-EFGH", TypedNonceError::Length(8));
        check("00000-00000-0000U", TypedNonceError::Sign('U'));
        check("00000-00000-0000é", TypedNonceError::Sign('é'));
        check("00000-00000-00001", TypedNonceError::Check);
        // A multiple of the check whose last two signs no code ends with.
        check("00000-00000-000ZX", TypedNonceError::Check);
    }
}
