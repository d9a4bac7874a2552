//! Parts become members of an input: text as it stands, JSON read, files in base64 while they arrive.

use super::{FormError, FormLimits, Head};
use crate::json::{JsonLimits, parse};
use crate::schema::form::{Field, InputForm, Takes};
use crate::value::{Str, Value};
use base64::engine::general_purpose::{GeneralPurpose, STANDARD};
use base64::write::EncoderStringWriter;
use std::io::Write;

/// Bytes as the base64 text that stands for them, while they arrive.
pub struct FileText(EncoderStringWriter<'static, GeneralPurpose, String>);

impl std::fmt::Debug for FileText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FileText")
    }
}

impl Default for FileText {
    fn default() -> FileText {
        FileText(EncoderStringWriter::new(&STANDARD))
    }
}

impl FileText {
    pub fn push(&mut self, bytes: &[u8]) {
        // Writing into a string does not fail.
        let _infallible = self.0.write_all(bytes);
    }

    pub fn value(self) -> Value {
        Value::from(self.0.into_inner())
    }
}

/// What has been filled so far.
#[derive(Debug)]
pub(super) struct Filling<'f> {
    form: &'f InputForm,
    limits: FormLimits,
    parts: usize,
    open: Option<Open<'f>>,
    members: Vec<(Str, Value)>,
    /// Members that are lists, and their items so far.
    lists: Vec<(Str, Vec<Value>)>,
    /// Members that names of files go to.
    names: Vec<(Str, Value)>,
}

/// The part that is arriving.
#[derive(Debug)]
struct Open<'f> {
    field: &'f Field,
    bytes: usize,
    data: Data,
}

#[derive(Debug)]
enum Data {
    Plain(Vec<u8>),
    File(Box<FileText>),
}

impl<'f> Filling<'f> {
    pub(super) fn new(form: &'f InputForm, limits: FormLimits) -> Filling<'f> {
        let (members, lists, names) = (Vec::new(), Vec::new(), Vec::new());
        Filling { form, limits, parts: 0, open: None, members, lists, names }
    }

    /// Which part the next one is.
    pub(super) fn place(&self) -> usize {
        self.parts + 1
    }

    pub(super) fn begin(&mut self, head: Head) -> Result<(), FormError> {
        self.parts += 1;
        if self.parts > self.limits.parts_max {
            return Err(FormError::TooLarge(format!("a form has at most {} parts", self.limits.parts_max)));
        }
        let field = self.form.field(&head.name).ok_or_else(|| {
            FormError::malformed(format!("part {} has the name of nothing that the chain takes", self.parts))
        })?;
        if !field.many && self.members.iter().any(|(name, _)| *name == field.name) {
            return Err(FormError::malformed(format!("`{}` is there twice", field.name)));
        }
        if let (Some(member), Some(said)) = (self.form.name_of(&field.name), head.file_name) {
            self.names.push((member.clone(), Value::from(said)));
        }
        let data = match field.takes {
            Takes::File(_) => Data::File(Box::default()),
            Takes::Text | Takes::Json => Data::Plain(Vec::new()),
        };
        self.open = Some(Open { field, bytes: 0, data });
        Ok(())
    }

    pub(super) fn data(&mut self, bytes: &[u8]) -> Result<(), FormError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        open.bytes += bytes.len();
        if open.bytes > self.limits.part_bytes_max {
            let (name, max) = (&open.field.name, self.limits.part_bytes_max);
            return Err(FormError::TooLarge(format!("`{name}` is larger than a part may be: {max} bytes")));
        }
        match &mut open.data {
            Data::Plain(data) => data.extend_from_slice(bytes),
            Data::File(text) => text.push(bytes),
        }
        Ok(())
    }

    pub(super) fn end(&mut self) -> Result<(), FormError> {
        let Some(Open { field, data, .. }) = self.open.take() else { return Ok(()) };
        let name = &field.name;
        let value = match data {
            Data::File(text) => text.value(),
            Data::Plain(bytes) if field.takes == Takes::Json => {
                let read = parse(&bytes, &JsonLimits::default());
                read.map_err(|error| FormError::malformed(format!("`{name}` is not valid JSON: {error}")))?
            }
            Data::Plain(bytes) => {
                let text = String::from_utf8(bytes);
                Value::from(text.map_err(|_| FormError::malformed(format!("`{name}` is not UTF-8")))?)
            }
        };
        if !field.many {
            self.members.push((name.clone(), value));
            return Ok(());
        }
        match self.lists.iter_mut().find(|(known, _)| known == name) {
            Some((_, items)) => items.push(value),
            None => self.lists.push((name.clone(), vec![value])),
        }
        Ok(())
    }

    /// All of it. A part of its own counts more than the name of a file.
    pub(super) fn value(self) -> Value {
        let lists = self.lists.into_iter().map(|(name, items)| (name, Value::list(items)));
        let mut members = self.members;
        members.extend(lists);
        for (name, said) in self.names {
            if !members.iter().any(|(known, _)| *known == name) {
                members.push((name, said));
            }
        }
        Value::map(members)
    }
}
