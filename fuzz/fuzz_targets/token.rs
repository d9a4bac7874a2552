//! Tokens and sets of keys: any text is a token or a reason why not, what is read of one is what its one spelling says, and
//! no key that did not sign it verifies it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringmail_core::token::{KeySet, SignedToken, TOKEN_BYTES_MAX, VerifyingKey};

fuzz_target!(|data: &[u8]| {
    if let Ok(keys) = KeySet::parse(data) {
        assert_ne!(keys, KeySet::default());
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(token) = SignedToken::parse(text) else { return };
    assert!(text.len() <= TOKEN_BYTES_MAX && SignedToken::is_meant(text));
    assert!(token.claims.as_map().is_some());
    let key = VerifyingKey::ed25519("k".into(), &[7; 32]);
    assert!(token.verify(&key).is_err(), "nobody has signed it");
    // Other bytes are another token, or none.
    for other in [format!("{text}="), format!("{text} "), format!("{text}.")] {
        assert!(SignedToken::parse(&other).is_err(), "two spellings of {text}");
    }
});
