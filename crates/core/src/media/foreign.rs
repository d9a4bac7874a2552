//! What bytes of one type hold of another: files that two readers take for different things.

use super::zip;

/// Readers of PDF look for its mark this far.
const PDF_WITHIN: usize = 1_024;
/// How tags begin that make a browser read bytes as a page, or a server as a program.
const TAGS: &[&[u8]] = &[
    b"<!doctype",
    b"<!--",
    b"<?php",
    b"<body",
    b"<embed",
    b"<form",
    b"<frame",
    b"<head",
    b"<html",
    b"<iframe",
    b"<img",
    b"<link",
    b"<math",
    b"<meta",
    b"<object",
    b"<script",
    b"<style",
    b"<svg",
    b"<table",
    b"<title",
];

/// A picture that would be read as an archive or a document as well.
pub(super) fn whole(bytes: &[u8]) -> Result<(), &'static str> {
    let front = bytes.get(..PDF_WITHIN).unwrap_or(bytes);
    if memchr::memmem::find(front, b"%PDF-").is_some() {
        return Err("would be read as a PDF, too");
    }
    archive(bytes)
}

/// Whatever is read from its end as an archive.
pub(super) fn archive(bytes: &[u8]) -> Result<(), &'static str> {
    if zip::is_at_the_end(bytes) { Err("would be read as a ZIP archive, too") } else { Ok(()) }
}

/// What stands beside a picture: comments, profiles, descriptions.
pub(super) fn beside(bytes: &[u8]) -> Result<(), &'static str> {
    for at in memchr::memchr_iter(b'<', bytes) {
        let here = bytes.get(at..).unwrap_or_default();
        if TAGS.iter().any(|tag| is_tag(here, tag)) {
            return Err("holds a tag of a page or a program beside the picture");
        }
    }
    Ok(())
}

/// The byte behind a name tells a tag from chance.
fn is_tag(here: &[u8], tag: &[u8]) -> bool {
    let Some((name, behind)) = here.split_at_checked(tag.len()) else { return false };
    let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/');
    name.eq_ignore_ascii_case(tag) && (tag.ends_with(b"-") || behind.first().is_none_or(ends))
}
