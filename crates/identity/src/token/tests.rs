//! Tokens that count, and forged ones that do not (classes E1 to E5 of what gateways have been broken with).

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};

use super::*;

const NOW: u64 = 1_800_000_000;

struct Issuer {
    pair: EcdsaKeyPair,
}

impl Issuer {
    fn new() -> Issuer {
        Issuer { pair: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key") }
    }

    fn keys(&self, more: &str) -> KeySet {
        let point = self.pair.public_key().as_ref();
        let coordinate = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let (x, y) = (coordinate(&point[1..33]), coordinate(&point[33..]));
        format!(r#"{{"keys": [{{"kty": "EC", "crv": "P-256", "x": "{x}", "y": "{y}"{more}}}]}}"#)
            .parse()
            .expect("keys")
    }

    fn token(&self, head: &str, claims: &str) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(head), URL_SAFE_NO_PAD.encode(claims));
        let seal = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).expect("a signature");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(seal.as_ref()))
    }
}

const HEAD: &str = r#"{"alg":"ES256","typ":"JWT","kid":"one"}"#;

fn demands(audiences: &[Arc<str>]) -> Demands<'_> {
    Demands { issuer: "https://issuer.example", audiences, clock_skew_seconds: 30, now: NOW }
}

fn claims(more: &str) -> String {
    format!(
        r#"{{"iss":"https://issuer.example","sub":"kim","aud":["shop","bank"],"exp":{}{more}}}"#,
        NOW + 60
    )
}

fn ask(token: &str, keys: &KeySet) -> Result<Claims, Flaw> {
    verify(token.as_bytes(), keys, &demands(&["bank".into()]))
}

#[test]
fn a_token_of_the_issuer_counts_until_it_ends() {
    let issuer = Issuer::new();
    let keys = issuer.keys(r#", "kid": "one", "alg": "ES256""#);

    let found = ask(&issuer.token(HEAD, &claims("")), &keys).expect("it counts");

    assert_eq!((found.subject(), found.ends), (Some("kim"), NOW + 90));
    let later = Demands { now: NOW + 90, ..demands(&[]) };
    assert_eq!(verify(issuer.token(HEAD, &claims("")).as_bytes(), &keys, &later), Err(Flaw::Expired));
}

#[test]
fn the_algorithm_is_the_keys_and_never_the_tokens() {
    let issuer = Issuer::new();
    let keys = issuer.keys("");
    let sound = issuer.token(HEAD, &claims(""));
    let (body, _) = sound.rsplit_once('.').expect("a seal");
    let payload = body.split_once('.').expect("a payload").1;

    for (head, flaw) in [
        (r#"{"alg":"none"}"#, Flaw::Algorithm),
        (r#"{"alg":"None"}"#, Flaw::Algorithm),
        (r#"{"alg":"HS256"}"#, Flaw::Algorithm),
        (r#"{"alg":"RS256"}"#, Flaw::UnknownKey),
        (r#"{"alg":"ES384"}"#, Flaw::UnknownKey),
        (r#"{"alg":["ES256"]}"#, Flaw::Algorithm),
        (r#"{"typ":"JWT"}"#, Flaw::Algorithm),
    ] {
        for seal in ["", "AAAA"] {
            let forged = format!("{}.{payload}.{seal}", URL_SAFE_NO_PAD.encode(head));
            assert_eq!(ask(&forged, &keys), Err(flaw), "{head}");
        }
    }
    // CVE-2022-21449: a signature of zeros fits every message where nobody looks.
    let zeros = format!("{body}.{}", URL_SAFE_NO_PAD.encode([0; 64]));
    assert_eq!(ask(&zeros, &keys), Err(Flaw::Signature));
    assert_eq!(ask(&format!("{body}."), &keys), Err(Flaw::Signature));
}

#[test]
fn nothing_in_a_token_leads_to_another_key() {
    let (issuer, attacker) = (Issuer::new(), Issuer::new());
    let keys = issuer.keys(r#", "kid": "one""#);
    for more in [
        r#""jwk":{"kty":"oct","k":"AA"}"#,
        r#""jku":"https://attacker.example/keys""#,
        r#""x5u":"https://attacker.example/chain""#,
        r#""x5c":["AA=="]"#,
    ] {
        let head = format!(r#"{{"alg":"ES256","kid":"one",{more}}}"#);
        assert_eq!(ask(&attacker.token(&head, &claims("")), &keys), Err(Flaw::Signature), "{more}");
    }
    for (id, flaw) in [
        (r#""../../dev/null""#.to_owned(), Flaw::UnknownKey),
        (r#""' OR 1=1 --""#.to_owned(), Flaw::UnknownKey),
        (format!("\"{}\"", "k".repeat(5_000)), Flaw::Malformed),
        ("7".to_owned(), Flaw::Malformed),
        ("null".to_owned(), Flaw::Malformed),
    ] {
        let head = format!(r#"{{"alg":"ES256","kid":{id}}}"#);
        assert_eq!(ask(&issuer.token(&head, &claims("")), &keys), Err(flaw), "{id}");
    }
}

#[test]
fn what_is_not_understood_or_said_twice_is_refused() {
    let issuer = Issuer::new();
    let keys = issuer.keys("");
    for (head, flaw) in [
        (r#"{"alg":"ES256","crit":["exp"]}"#, Flaw::Critical),
        (r#"{"alg":"ES256","crit":[]}"#, Flaw::Critical),
        (r#"{"alg":"ES256","b64":false}"#, Flaw::Critical),
        (r#"{"alg":"ES256","zip":"DEF"}"#, Flaw::Critical),
        (r#"{"alg":"ES256","typ":"dpop+jwt"}"#, Flaw::Type),
        (r#"{"alg":"ES256","typ":"logout+jwt"}"#, Flaw::Type),
        (r#"{"alg":"none","alg":"ES256"}"#, Flaw::Malformed),
    ] {
        assert_eq!(ask(&issuer.token(head, &claims("")), &keys), Err(flaw), "{head}");
    }
    let twice = issuer.token(HEAD, &claims(r#","sub":"root""#));
    assert_eq!(ask(&twice, &keys), Err(Flaw::Malformed));
    assert!(ask(&issuer.token(r#"{"alg":"ES256","typ":"application/at+JWT"}"#, &claims("")), &keys).is_ok());
}

#[test]
fn claims_of_a_wrong_type_are_no_claims() {
    let issuer = Issuer::new();
    let keys = issuer.keys("");
    let with = |exp: &str, more: &str| {
        let claims = format!(r#"{{"iss":"https://issuer.example","aud":"bank","exp":{exp}{more}}}"#);
        ask(&issuer.token(HEAD, &claims), &keys)
    };
    let later = (NOW + 60).to_string();

    for exp in [r#""never""#, r#""1900000000""#, "null", "true", "[1900000000]", "{}", "-1", "1e400", "1e300"]
    {
        assert!(matches!(with(exp, ""), Err(Flaw::Claim | Flaw::Malformed)), "exp {exp}");
    }
    for more in [r#","nbf":"9e99""#, r#","nbf":-1"#, r#","nbf":[0]"#, r#","iat":"now""#, r#","sub":7"#] {
        assert_eq!(with(&later, more), Err(Flaw::Claim), "{more}");
    }
    assert_eq!(with(&later, &format!(r#","nbf":{}"#, NOW + 31)), Err(Flaw::NotYet));
    assert!(with(&later, &format!(r#","nbf":{}.5"#, NOW + 30)).is_ok());
    let without_end = r#"{"iss":"https://issuer.example","aud":"bank"}"#;
    assert_eq!(ask(&issuer.token(HEAD, without_end), &keys), Err(Flaw::Claim));
}

#[test]
fn a_token_of_or_for_somebody_else_does_not_count() {
    let issuer = Issuer::new();
    let keys = issuer.keys("");
    let with = |iss: &str, aud: &str| {
        ask(&issuer.token(HEAD, &format!(r#"{{"iss":{iss},"aud":{aud},"exp":{}}}"#, NOW + 60)), &keys)
    };
    let own = r#""https://issuer.example""#;

    assert_eq!(with(r#""https://issuer.example/""#, r#""bank""#), Err(Flaw::Issuer));
    assert_eq!(with(r#"["https://issuer.example"]"#, r#""bank""#), Err(Flaw::Claim));
    assert_eq!(with(own, r#""shop""#), Err(Flaw::Audience));
    assert_eq!(with(own, "[]"), Err(Flaw::Audience));
    assert_eq!(with(own, r#"["bank", 7]"#), Err(Flaw::Claim));
    assert_eq!(with(own, "null"), Err(Flaw::Claim));
    assert!(with(own, r#""bank""#).is_ok());
}

#[test]
fn what_is_no_token_is_refused_whatever_it_is() {
    let issuer = Issuer::new();
    let keys = issuer.keys("");
    let sound = issuer.token(HEAD, &claims(""));
    assert_eq!(ask(&"a".repeat(TOKEN_BYTES_MAX + 1), &keys), Err(Flaw::TooLong));
    for bad in [
        "",
        ".",
        "..",
        "a.b",
        "a.b.c.d.e",
        &format!("{sound}="),
        &format!("{sound}.x"),
        &sound.replace('.', " "),
    ] {
        assert_eq!(ask(bad, &keys), Err(Flaw::Malformed), "{bad}");
    }
}
