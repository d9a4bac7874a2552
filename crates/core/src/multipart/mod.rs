//! Forms with files, `multipart/form-data` as RFC 7578 and browsers have it, piece by piece as they arrive. Nothing is
//! kept but the values themselves; what a client says of a part beyond its name is not believed.
//! Called by the HTTP listener.

mod fill;
#[cfg(test)]
mod tests;

pub use fill::FileText;

use crate::schema::form::InputForm;
use crate::value::Value;
use fill::Filling;
use thiserror::Error;

/// The longest boundary there is.
const BOUNDARY_BYTES_MAX: usize = 70;
/// More in front of a part is no head of one.
const HEAD_BYTES_MAX: usize = 4 << 10;
const HEAD_LINES_MAX: usize = 8;
/// The longest name of a part, and of a file.
const NAME_BYTES_MAX: usize = 256;

/// What a form may be at most.
#[derive(Clone, Copy, Debug)]
pub struct FormLimits {
    pub parts_max: usize,
    pub part_bytes_max: usize,
}

/// Why a form is none, or not one for this input. It names parts by their place, and members that the schema lists.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum FormError {
    #[error("{0}")]
    Malformed(String),
    #[error("{0}")]
    TooLarge(String),
}

impl FormError {
    fn malformed(message: impl Into<String>) -> FormError {
        FormError::Malformed(message.into())
    }
}

/// A form that arrives.
#[derive(Debug)]
pub struct Multipart<'f> {
    /// What stands before each part but the first.
    border: Vec<u8>,
    state: State,
    pending: Vec<u8>,
    filling: Filling<'f>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Start,
    /// Behind a border.
    Border,
    Head,
    Data,
    End,
}

/// What a part says of itself that counts.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    name: String,
    file_name: Option<String>,
}

impl<'f> Multipart<'f> {
    /// `content_type` is the whole header.
    pub fn new(
        content_type: &str,
        form: &'f InputForm,
        limits: FormLimits,
    ) -> Result<Multipart<'f>, FormError> {
        let boundary = boundary(content_type).ok_or_else(|| {
            FormError::malformed("`content-type` does not say, once, which boundary the parts have")
        })?;
        let border = format!("\r\n--{boundary}").into_bytes();
        let filling = Filling::new(form, limits);
        Ok(Multipart { border, state: State::Start, pending: Vec::new(), filling })
    }

    /// The next bytes, however they were cut.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), FormError> {
        self.pending.extend_from_slice(bytes);
        while self.step()? {}
        Ok(())
    }

    /// The input, if the form came to its end.
    pub fn finish(self) -> Result<Value, FormError> {
        match self.state {
            State::End => Ok(self.filling.value()),
            _ => Err(FormError::malformed("the form breaks off: there is no boundary at its end")),
        }
    }

    /// Whether there may be more to do with what is there.
    fn step(&mut self) -> Result<bool, FormError> {
        match self.state {
            State::Start => self.start(),
            State::Border => {
                let Some(mark) = self.pending.first_chunk::<2>() else { return Ok(false) };
                self.state = match mark {
                    b"\r\n" => State::Head,
                    b"--" => State::End,
                    _ => return Err(FormError::malformed("a boundary is not at the end of its line")),
                };
                self.pending.drain(..2);
                Ok(true)
            }
            State::Head => self.head(),
            State::Data => self.data(),
            State::End if b"\r\n".starts_with(&self.pending) => Ok(false),
            State::End => Err(FormError::malformed("there is more behind the end of the form")),
        }
    }

    fn start(&mut self) -> Result<bool, FormError> {
        // Some clients begin with the line end that every other border has.
        let first = self.border.get(2..).unwrap_or_default();
        let border = if self.pending.starts_with(b"\r") { &self.border[..] } else { first };
        if self.pending.len() < border.len() && border.starts_with(&self.pending) {
            return Ok(false);
        }
        if !self.pending.starts_with(border) {
            return Err(FormError::malformed("the form does not begin with its boundary"));
        }
        let length = border.len();
        self.pending.drain(..length);
        self.state = State::Border;
        Ok(true)
    }

    fn head(&mut self) -> Result<bool, FormError> {
        const END: &[u8] = b"\r\n\r\n";
        let Some(end) = memchr::memmem::find(&self.pending, END) else {
            return match self.pending.len() > HEAD_BYTES_MAX {
                true => Err(FormError::TooLarge(format!("a part's head has at most {HEAD_BYTES_MAX} bytes"))),
                false => Ok(false),
            };
        };
        let bytes = self.pending.get(..end).filter(|bytes| bytes.len() <= HEAD_BYTES_MAX);
        let place = self.filling.place();
        let head = bytes.and_then(|bytes| std::str::from_utf8(bytes).ok()).and_then(read_head);
        let head = head.ok_or_else(|| {
            FormError::malformed(format!(
                "part {place} does not say in its head, once and readably, what it is"
            ))
        })?;
        self.filling.begin(head)?;
        self.pending.drain(..end + END.len());
        self.state = State::Data;
        Ok(true)
    }

    fn data(&mut self) -> Result<bool, FormError> {
        if let Some(at) = memchr::memmem::find(&self.pending, &self.border) {
            self.filling.data(self.pending.get(..at).unwrap_or_default())?;
            self.filling.end()?;
            self.pending.drain(..at + self.border.len());
            self.state = State::Border;
            return Ok(true);
        }
        // What may be the beginning of a border waits.
        let sure = self.pending.len().saturating_sub(self.border.len() - 1);
        self.filling.data(self.pending.get(..sure).unwrap_or_default())?;
        self.pending.drain(..sure);
        Ok(false)
    }
}

/// The one boundary that a `content-type` names.
fn boundary(content_type: &str) -> Option<&str> {
    let (_, parameters) = content_type.split_once(';')?;
    let mut found = None;
    for parameter in parameters.split(';') {
        let (name, value) = parameter.trim().split_once('=')?;
        if !name.trim().eq_ignore_ascii_case("boundary") {
            continue;
        }
        let value = value.trim();
        let value = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
        let allowed = |c: char| c.is_ascii_alphanumeric() || "'()+_,-./:=? ".contains(c);
        let fits = (1..=BOUNDARY_BYTES_MAX).contains(&value.len())
            && value.chars().all(allowed)
            && !value.ends_with(' ');
        if found.replace(value).is_some() || !fits {
            return None;
        }
    }
    found
}

/// Name and file name, from the one `content-disposition`. Other headers are the client's opinion.
fn read_head(head: &str) -> Option<Head> {
    let mut found = None;
    for (at, line) in head.split("\r\n").enumerate() {
        let (name, value) = line.split_once(':')?;
        let is_token = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if at >= HEAD_LINES_MAX
            || name.is_empty()
            || !name.chars().all(is_token)
            || line.chars().any(char::is_control)
        {
            return None;
        }
        if name.eq_ignore_ascii_case("content-transfer-encoding") {
            // Only mail has others.
            let plain = ["binary", "7bit", "8bit"];
            plain.iter().find(|plain| value.trim().eq_ignore_ascii_case(plain))?;
        }
        if name.eq_ignore_ascii_case("content-disposition") && found.replace(disposition(value)?).is_some() {
            return None;
        }
    }
    found
}

/// `form-data; name="a"; filename="b.png"`
fn disposition(value: &str) -> Option<Head> {
    let mut rest = value.trim().strip_prefix("form-data")?.trim_start();
    let (mut name, mut file_name) = (None, None);
    while !rest.is_empty() {
        let (key, behind) = rest.strip_prefix(';')?.trim_start().split_once('=')?;
        let (text, behind) = match behind.strip_prefix('"') {
            Some(quoted) => unquoted(quoted)?,
            None => {
                let end = behind.find(';').unwrap_or(behind.len());
                let (text, behind) = behind.split_at_checked(end)?;
                (text.trim().to_string(), behind)
            }
        };
        if text.len() > NAME_BYTES_MAX {
            return None;
        }
        let twice = match key.trim() {
            "name" => name.replace(text).is_some(),
            "filename" => file_name.replace(text).is_some(),
            _ => false,
        };
        if twice {
            return None;
        }
        rest = behind.trim_start();
    }
    Some(Head { name: name?, file_name })
}

/// A text up to its closing quote, and what is behind. Backslashes stand for themselves but before a quote or another:
/// there are systems whose paths have them.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let (mut out, mut chars) = (String::new(), text.chars());
    loop {
        match chars.next()? {
            '"' => return Some((out, chars.as_str())),
            '\\' if chars.as_str().starts_with(['"', '\\']) => out.extend(chars.next()),
            c => out.push(c),
        }
    }
}
