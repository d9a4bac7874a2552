//! Media types by content: whether bytes are one whole file of a type and no file of another besides. What a name or a
//! head says of them is never asked. Structure is walked to its end; pictures are not decoded and programs not run.
//! Called by schemas (`contentMediaType`).

mod foreign;
mod gif;
mod jpeg;
mod pdf;
mod png;
mod reader;
mod text;
mod webp;
mod zip;

#[cfg(test)]
mod tests;

/// A type of content, known by its bytes.
#[derive(Debug)]
pub struct MediaType {
    pub name: &'static str,
    pub doc: &'static str,
    /// Whether it is text, and can stand in a string as it is.
    pub(crate) is_text: bool,
    /// How its files begin, if all begin the same.
    begins: &'static [u8],
    test: fn(&[u8]) -> Result<(), &'static str>,
}

pub static MEDIA_TYPES: &[MediaType] = &[
    binary("image/png", "every chunk with its sum, from `IHDR` to `IEND`", png::SIGNATURE, png::test),
    binary(
        "image/jpeg",
        "every segment, a frame and a scan, to the end of the image",
        jpeg::SIGNATURE,
        jpeg::test,
    ),
    binary("image/gif", "every block, at least one image, to the trailer", gif::SIGNATURE, gif::test),
    binary("image/webp", "every chunk, a picture first, as long as it says", webp::SIGNATURE, webp::test),
    binary(
        "application/pdf",
        "a version, a table of objects where it says, and its end mark",
        pdf::SIGNATURE,
        pdf::test,
    ),
    binary("application/zip", "every entry where the directory at the end says", zip::SIGNATURE, zip::test),
    binary("application/octet-stream", "any bytes", b"", |_| Ok(())),
    written("application/json", "one JSON value, as strict as every other", text::json),
    written("text/csv", "records with equally many fields, as RFC 4180 has them", text::csv),
    written("text/plain", "UTF-8 without control characters but tab, line and page ends", text::plain),
];

const fn binary(
    name: &'static str,
    doc: &'static str,
    begins: &'static [u8],
    test: fn(&[u8]) -> Result<(), &'static str>,
) -> MediaType {
    MediaType { name, doc, is_text: false, begins, test }
}

const fn written(
    name: &'static str,
    doc: &'static str,
    test: fn(&[u8]) -> Result<(), &'static str>,
) -> MediaType {
    MediaType { name, doc, is_text: true, begins: b"", test }
}

impl MediaType {
    pub fn find(name: &str) -> Option<&'static MediaType> {
        MEDIA_TYPES.iter().find(|kind| kind.name == name)
    }

    /// Why these bytes are no file of this type; never a byte of them.
    pub fn test(&self, bytes: &[u8]) -> Result<(), String> {
        if !bytes.starts_with(self.begins) {
            if bytes.is_empty() {
                return Err("is empty".into());
            }
            let other =
                MEDIA_TYPES.iter().find(|kind| !kind.begins.is_empty() && bytes.starts_with(kind.begins));
            return Err(match other {
                Some(other) => format!("begins as `{}` does", other.name),
                None => "does not begin as one".into(),
            });
        }
        (self.test)(bytes).map_err(str::to_string)
    }
}
