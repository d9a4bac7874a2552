//! Bank accounts: IBANs of the countries that have them, in their lengths, with valid check digits (ISO 13616).

use super::bytes::{byte, opens};
use super::{Detector, Gives};
use std::ops::Range;

pub(super) static DETECTOR: Detector = Detector {
    name: "iban",
    doc: "IBANs, in one piece or in groups of four, with valid check digits",
    gives: Gives::Tag(None),
    triggers: b"0123456789",
    before: |byte| byte.is_ascii_uppercase(),
    after: |byte| byte.is_ascii_digit(),
    at,
};

/// Countries by the length of their IBANs.
const COUNTRIES: &[(usize, &str)] = &[
    (15, "NO"),
    (16, "BE"),
    (18, "DK FI FK FO GL NL SD"),
    (19, "MK SI"),
    (20, "AT BA EE KZ LT LU MN XK"),
    (21, "CH HR LI LV"),
    (22, "BG BH CR DE GB GE IE ME RS VA"),
    (23, "AE GI IL IQ OM SO TL"),
    (24, "AD CZ ES MD PK RO SA SE SK TN VG"),
    (25, "LY PT ST"),
    (26, "IS TR"),
    (27, "BI DJ FR GR IT MC MR SM"),
    (28, "AL AZ BY CY DO GT HN HU LB NI PL SV"),
    (29, "BR EG PS QA UA"),
    (30, "JO KW MU YE"),
    (31, "MT SC"),
    (33, "LC RU"),
];

/// The trigger is the first check digit.
fn at(text: &str, at: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let start = at.checked_sub(2)?;
    let country = text.get(start..at)?;
    if !byte(bytes, at + 1).is_ascii_digit() || !country.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    if !opens(bytes, start) {
        return None;
    }
    let (length, _) = COUNTRIES.iter().find(|(_, names)| names.split(' ').any(|name| name == country))?;
    let (mut account, mut end) = (Vec::with_capacity(34), start);
    let spaced = byte(bytes, start + 4) == b' ';
    while account.len() < *length {
        if spaced && account.len() % 4 == 0 && !account.is_empty() {
            if byte(bytes, end) != b' ' {
                return None;
            }
            end += 1;
        }
        let here = byte(bytes, end);
        if !(here.is_ascii_uppercase() || here.is_ascii_digit()) {
            return None;
        }
        account.push(here);
        end += 1;
    }
    let next = byte(bytes, end);
    (!next.is_ascii_alphanumeric() && next != b'_' && is_valid(&account)).then_some(start..end)
}

/// The first four moved to the end, letters as two digits: the whole leaves 1 by 97.
fn is_valid(account: &[u8]) -> bool {
    let moved = account.iter().cycle().skip(4).take(account.len());
    let rest = moved.fold(0_u32, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        _ => (rest * 100 + u32::from(byte - b'A') + 10) % 97,
    });
    rest == 1
}
