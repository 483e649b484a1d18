//! API keys: `<brand>_<environment>_` + 26 letters of chance + 6 letters of CRC-32.
//!
//! The words in front tell a person (and a scanner of leaked secrets) whose key this is and where it works. The
//! checksum tells a mistyped key from an unknown one without asking anybody. The chance in between is what the key is
//! worth: 26 letters out of 62 are 154 bits.
//!
//! A key is shown once, when it is made. It has no `Display`, and its `Debug` shows what may be shown.

use std::fmt;
use std::str::FromStr;

use crate::violation::Problem;

/// The digits of a number to the base 62.
const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Letters of chance in a key.
const SECRET_LETTERS: usize = 26;
/// Letters of the checksum: 62⁶ is more than 2³².
const CHECK_LETTERS: usize = 6;
/// How much of the chance may be shown, so that people can tell their keys apart: 24 of 154 bits.
const SHOWN_LETTERS: usize = 4;
/// Longest brand and longest environment, in letters.
pub const WORD_LETTERS_MAX: usize = 16;
/// The brand of keys when nobody chose another.
pub const BRAND: &str = "sk";
/// The environment of keys when nobody chose another.
pub const ENVIRONMENT: &str = "live";

/// An API key, whole: whoever holds it may call.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(Box<str>);

impl ApiKey {
    /// Makes a key out of chance. `chance` gives one random byte at a time and must come from the system's generator.
    ///
    /// # Errors
    /// The brand or the environment is not made of 1 to [`WORD_LETTERS_MAX`] lower-case letters and digits.
    pub fn mint(brand: &str, environment: &str, mut chance: impl FnMut() -> u8) -> Result<ApiKey, Problem> {
        for word in [brand, environment] {
            if !is_word(word) {
                return Err(Problem::new(format!("`{word}` cannot stand in a key"))
                    .remedy("use 1 to 16 lower-case letters and digits"));
            }
        }
        let mut text = format!("{brand}_{environment}_");
        for _ in 0..SECRET_LETTERS {
            text.push(letter_by_chance(&mut chance));
        }
        let check = checksum(text.as_bytes());
        text.push_str(&check);
        Ok(ApiKey(text.into()))
    }

    /// The text. Nobody but the owner of the key may ever see it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The part that may be shown in lists: brand, environment and the first four letters.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.0[..self.0.len() - CHECK_LETTERS - SECRET_LETTERS + SHOWN_LETTERS]
    }
}

impl FromStr for ApiKey {
    type Err = Problem;

    /// Reads a key and checks it, offline. The problem never repeats it.
    fn from_str(text: &str) -> Result<Self, Problem> {
        let wrong = |what: &str| {
            Problem::new(format!("this is not an API key: {what}"))
                .remedy("copy the whole key, as it was shown once")
        };
        let mut parts = text.splitn(3, '_');
        let (Some(brand), Some(environment), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(wrong("it does not look like `sk_live_…`"));
        };
        if !is_word(brand) || !is_word(environment) {
            return Err(wrong("it does not begin with a brand and an environment, as in `sk_live_…`"));
        }
        if rest.len() != SECRET_LETTERS + CHECK_LETTERS || !rest.bytes().all(|byte| LETTERS.contains(&byte)) {
            return Err(wrong("32 letters and digits must follow the second `_`"));
        }
        let (checked, check) = text.split_at(text.len() - CHECK_LETTERS);
        if checksum(checked.as_bytes()) != check {
            return Err(wrong("its checksum does not fit, so a letter of it is wrong"));
        }
        Ok(ApiKey(text.into()))
    }
}

/// It shows what may be shown.
impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({}…)", self.shown())
    }
}

fn is_word(word: &str) -> bool {
    (1..=WORD_LETTERS_MAX).contains(&word.len())
        && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// Every letter is equally likely: bytes past the last whole multiple of 62 are thrown away.
fn letter_by_chance(chance: &mut impl FnMut() -> u8) -> char {
    const FAIR: u8 = 62 * 4;
    loop {
        let byte = chance();
        if byte < FAIR {
            return char::from(LETTERS[usize::from(byte % 62)]);
        }
    }
}

fn checksum(bytes: &[u8]) -> String {
    let mut rest = crc32(bytes);
    let mut letters = ['0'; CHECK_LETTERS];
    for letter in letters.iter_mut().rev() {
        *letter = char::from(LETTERS[(rest % 62) as usize]);
        rest /= 62;
    }
    letters.iter().collect()
}

/// CRC-32 as in ISO 3309 (the one of zip and Ethernet), bit by bit: keys are short.
fn crc32(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            let carry = sum & 1;
            sum = (sum >> 1) ^ (0xedb8_8320 * carry);
        }
    }
    !sum
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A generator that is no secret.
    fn mint(seed: u64) -> ApiKey {
        let mut state = seed | 1;
        let chance = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        };
        ApiKey::mint(BRAND, ENVIRONMENT, chance).expect("good words")
    }

    #[test]
    fn the_checksum_is_the_one_that_everybody_calls_crc_32() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn a_key_says_whose_it_is_and_is_long_enough() {
        let key = mint(3);

        assert!(key.reveal().starts_with("sk_live_"));
        assert_eq!(key.reveal().len(), "sk_live_".len() + 32);
        assert_eq!(key.shown().len(), "sk_live_".len() + 4);
    }

    #[test]
    fn a_key_is_not_shown_by_accident() {
        let key = mint(3);
        let secret = &key.reveal()[key.shown().len()..];

        assert!(!format!("{key:?}").contains(secret));
        let mistyped = format!("{}x", &key.reveal()[..key.reveal().len() - 1]);
        let problem = mistyped.parse::<ApiKey>().expect_err("a wrong letter");
        assert!(!format!("{problem:?}").contains(&secret[..20]));
    }

    #[test]
    fn a_brand_that_would_make_a_key_ambiguous_is_refused() {
        for brand in ["", "s_k", "SK", "a-b", "seventeen-letters"] {
            assert!(ApiKey::mint(brand, ENVIRONMENT, || 0).is_err(), "{brand}");
        }
    }

    proptest! {
        #[test]
        fn what_was_minted_is_read_and_what_was_mistyped_is_not(seed: u64, at in 0_usize..32, letter in 0_usize..62) {
            let key = mint(seed);
            prop_assert_eq!(key.reveal().parse::<ApiKey>().ok(), Some(key.clone()));

            let mut text = key.reveal().as_bytes().to_vec();
            let at = "sk_live_".len() + at;
            let other = LETTERS[letter];
            prop_assume!(text[at] != other);
            text[at] = other;
            let mistyped = String::from_utf8(text).expect("letters");
            prop_assert!(mistyped.parse::<ApiKey>().is_err());
        }

        #[test]
        fn no_text_makes_the_reader_fall_over(text in ".{0,80}") {
            let _ = text.parse::<ApiKey>();
        }
    }
}
