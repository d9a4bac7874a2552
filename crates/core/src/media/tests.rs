//! Whole files pass; cut, lengthened, mixed and mislabelled ones do not.

use super::png::crc32;
use super::*;

fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len()).unwrap().to_be_bytes();
    [&length, &kind[..], data, &crc32(&[kind, data]).to_be_bytes()].concat()
}

fn png_with(more: &[Vec<u8>]) -> Vec<u8> {
    let head = chunk(b"IHDR", &[0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0]);
    let data = chunk(b"IDAT", &[0x78, 0x9c, 0x63, 0x60, 0, 0, 0, 2, 0, 1]);
    [png::SIGNATURE, &head, &more.concat(), &data, &chunk(b"IEND", b"")].concat()
}

fn segment(marker: u8, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len() + 2).unwrap().to_be_bytes();
    [&[0xff, marker], &length[..], data].concat()
}

fn jpeg_with(more: &[Vec<u8>]) -> Vec<u8> {
    let frame = segment(0xc0, &[8, 0, 1, 0, 1, 1, 1, 0x11, 0]);
    let scan = segment(0xda, &[1, 1, 0, 0, 63, 0]);
    let data = [0x12, 0xff, 0x00, 0xff, 0xd0, 0x34];
    [&[0xff, 0xd8], &more.concat()[..], &frame, &scan, &data, &[0xff, 0xd9]].concat()
}

fn gif_with(comment: &[u8]) -> Vec<u8> {
    let size = u8::try_from(comment.len()).unwrap();
    let comment = [&[0x21, 0xfe, size], comment, &[0]].concat();
    let image = [0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x44, 1, 0];
    [&b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff"[..], &comment, &image, b";"].concat()
}

fn webp_with(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut all = b"WEBP".to_vec();
    for (kind, data) in chunks {
        all.extend_from_slice(*kind);
        all.extend_from_slice(&u32::try_from(data.len()).unwrap().to_le_bytes());
        all.extend_from_slice(data);
        all.extend_from_slice(&[0][..data.len() % 2]);
    }
    [b"RIFF", &u32::try_from(all.len()).unwrap().to_le_bytes()[..], &all].concat()
}

fn pdf_with(more: &str) -> Vec<u8> {
    let body = format!("%PDF-1.7\n1 0 obj <</Type/Catalog>> endobj\n{more}");
    format!("{body}xref\n0 1\n0000000000 65535 f \ntrailer <</Size 1>>\nstartxref\n{}\n%%EOF\n", body.len())
        .into()
}

/// One stored entry.
pub(super) fn zip_with(comment: &[u8]) -> Vec<u8> {
    let numbers = [0_u8; 18];
    let entry = [b"PK\x03\x04\x0a\0\0\0".as_slice(), &numbers, &[1, 0, 0, 0], b"a"].concat();
    let directory = [b"PK\x01\x02\x0a\0\x0a\0\0\0".as_slice(), &numbers, &[1, 0], &[0; 16], b"a"].concat();
    let word = |length: usize| u32::try_from(length).unwrap().to_le_bytes();
    let size = u16::try_from(comment.len()).unwrap().to_le_bytes();
    let end =
        [b"PK\x05\x06\0\0\0\0\x01\0\x01\0".as_slice(), &word(directory.len()), &word(entry.len()), &size];
    [entry.clone(), directory, end.concat(), comment.to_vec()].concat()
}

fn check(name: &str, bytes: &[u8], expected: &str) {
    let told = MediaType::find(name).unwrap().test(bytes);
    assert_eq!(
        told.err().as_deref().unwrap_or("is one"),
        expected,
        "{name} of {}",
        String::from_utf8_lossy(bytes)
    );
}

fn whole() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("image/png", png_with(&[chunk(b"tEXt", b"Comment\0made by hand, 1 < 2")])),
        ("image/jpeg", jpeg_with(&[segment(0xe1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>")])),
        ("image/gif", gif_with(b"<3")),
        ("image/webp", webp_with(&[(b"VP8X", &[0; 10]), (b"VP8L", &[0x2f, 0, 0]), (b"EXIF", b"MM")])),
        ("application/pdf", pdf_with("% <script> is a word\n")),
        ("application/zip", zip_with(b"said of it")),
        ("application/octet-stream", b"anything".to_vec()),
        ("application/json", b" {\"a\": [1]} ".to_vec()),
        ("text/csv", b"a,b\r\n1,\"two, \"\"three\"\"\"\r\n,\n".to_vec()),
        ("text/plain", "Größe\t<b>\n".into()),
    ]
}

#[test]
fn whole_files_are_what_they_are_and_nothing_else() {
    let files = whole();
    assert_eq!(files.len(), MEDIA_TYPES.len(), "a type without a file");
    for (name, bytes) in &files {
        check(name, bytes, "is one");
        for kind in MEDIA_TYPES.iter().filter(|kind| kind.name != *name && !kind.begins.is_empty()) {
            assert!(kind.test(bytes).is_err(), "{name} is no {}", kind.name);
        }
    }
}

#[test]
fn attack_29_what_is_cut_or_goes_on_is_no_file() {
    for (name, bytes) in whole().iter().take(6) {
        let kind = MediaType::find(name).unwrap();
        for length in 0..bytes.len() {
            // A line end behind the mark is no part of a PDF.
            let left_out = bytes[length..].iter().all(u8::is_ascii_whitespace);
            assert!(kind.test(&bytes[..length]).is_err() || left_out, "{name} cut to {length}");
        }
        let longer = [bytes.as_slice(), b"!"].concat();
        assert!(kind.test(&longer).is_err(), "{name} with more behind it");
    }
}

#[test]
fn attack_29_a_file_of_two_types_is_none() {
    let two = "would be read as a ZIP archive, too";
    for (name, bytes) in whole().iter().take(5) {
        let kind = MediaType::find(name).unwrap();
        let behind = [bytes.as_slice(), &zip_with(b"")].concat();
        assert!(kind.test(&behind).is_err(), "{name} with an archive behind it");
    }
    check("image/png", &png_with(&[chunk(b"zipA", &zip_with(b""))]), two);
    check("image/jpeg", &jpeg_with(&[segment(0xfe, &zip_with(b"x"))]), two);
    check("image/gif", &gif_with(&zip_with(b"")), two);
    check("image/webp", &webp_with(&[(b"VP8L", &[0x2f, 0]), (b"EXIF", &zip_with(b""))]), two);
    let mut inside = zip_with(b"\n%");
    inside.extend_from_slice(b"\n");
    check("application/pdf", &pdf_with(&String::from_utf8_lossy(&inside)), two);
    check("image/png", &png_with(&[chunk(b"tEXt", b"%PDF-1.4")]), "would be read as a PDF, too");
    let page = "holds a tag of a page or a program beside the picture";
    check("image/gif", &gif_with(b"*/ <ScRiPt >alert(1)</script>"), page);
    check("image/gif", &gif_with(b"<?php system($_GET[0]); ?>"), page);
    check("image/png", &png_with(&[chunk(b"iTXt", b"x<svg/onload=alert(1)>")]), page);
    check("image/jpeg", &jpeg_with(&[segment(0xe0, b"<!doctype html>")]), page);
    check("image/webp", &webp_with(&[(b"VP8L", &[0x2f, 0]), (b"XMP ", b"<html>")]), page);
    check("image/gif", &gif_with(b"a <scripted> <bodyguard>"), "is one");
}

#[test]
fn what_a_file_is_not_is_said() {
    check("image/png", b"", "is empty");
    check("image/png", &gif_with(b""), "begins as `image/gif` does");
    check("image/png", b"<html>", "does not begin as one");
    let mut broken = png_with(&[]);
    broken[20] ^= 1;
    check("image/png", &broken, "has a chunk with a wrong sum");
    let headless = [png::SIGNATURE, &chunk(b"IDAT", b"x"), &chunk(b"IEND", b"")].concat();
    check("image/png", &headless, "does not say once, and first, how large it is");
    check("image/jpeg", b"\xff\xd8\xff\xd9", "has no picture");
    check("image/jpeg", b"\xff\xd8\xff\xdb\0\x02x", "has bytes between its segments");
    check("image/gif", b"GIF88a", "is of no known version");
    check("image/gif", b"GIF89a\x01\0\x01\0\0\0\0;", "has no picture");
    check("image/webp", b"RIFF\x08\0\0\0WAVEfmt ", "is a RIFF of something else");
    check("application/pdf", b"%PDF-x", "is of no known version");
    check("application/pdf", b"%PDF-1.7 %%EOF", "does not say where its objects are");
    check("application/pdf", b"%PDF-1.7\nstartxref\n0\n%%EOF", "has no table of objects where it says");
    check("application/pdf", b"%PDF-1.7\n7 0 obj <</Type/XRef>>\nstartxref\n9\n%%EOF", "is one");
    check("application/zip", b"PK\x03\x04", "has no directory at its end, or not where it says");
    let mut moved = zip_with(b"");
    let end = moved.len() - 6;
    moved[end] ^= 1;
    check("application/zip", &moved, "has no directory at its end, or not where it says");
    check("application/json", b"{\"a\": 1, \"a\": 2}", "is not valid JSON");
    check("text/csv", b"", "is empty");
    check("text/csv", b"a,b\nc", "has records with more fields than others");
    check("text/csv", b"a,b\"c", "has a quote where none may be");
    check("text/csv", b"a,\"b", "has a quote where none may be");
    check("text/csv", b"a\rb", "has half of a line end");
    check("text/plain", b"a\0b", "has a control character");
    check("text/plain", b"\xff\xfe", "is not UTF-8");
}
