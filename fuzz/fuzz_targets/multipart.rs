//! Forms with files: any bytes are a form or a reason why not, however they are cut; and any bytes are of a media type or
//! not, and no file of two that are known by how they begin.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringmail_core::doc::{Problems, Source, yaml};
use ringmail_core::label::TagTable;
use ringmail_core::media::MEDIA_TYPES;
use ringmail_core::multipart::{FormError, FormLimits, Multipart};
use ringmail_core::schema::Schema;
use ringmail_core::schema::form::InputForm;
use ringmail_core::value::Value;
use std::sync::LazyLock;

static FORM: LazyLock<InputForm> = LazyLock::new(|| {
    let text = "type: object\nproperties:\n  t: {type: string}\n  n: {type: integer}\n  l: {type: array, items: {type: string}}\n  \
                f: {contentEncoding: base64}\n  c: {type: string, x-ringmail-file-name: f}\n";
    let source = Source::new("s", text);
    let node = yaml::parse(&source).expect("it is YAML");
    let schema = Schema::load(&node, &source, &mut TagTable::default(), &mut Problems::default());
    schema.and_then(|schema| schema.form()).expect("it has members")
});

fn read(data: &[u8], step: usize) -> Result<Value, FormError> {
    let limits = FormLimits { parts_max: 8, part_bytes_max: 1_024 };
    let mut parts = Multipart::new("multipart/form-data; boundary=b", &FORM, limits)?;
    data.chunks(step.max(1)).try_for_each(|piece| parts.feed(piece))?;
    parts.finish()
}

fuzz_target!(|data: &[u8]| {
    let whole = read(data, data.len());
    for step in [1, 5] {
        assert_eq!(format!("{:?}", read(data, step)), format!("{whole:?}"));
    }
    if let Ok(value) = whole {
        assert!(value.as_map().is_some_and(|map| map.len() <= 5));
    }
    let binary = MEDIA_TYPES.iter().filter(|kind| kind.name.starts_with("image/"));
    assert!(binary.filter(|kind| kind.test(data).is_ok()).count() <= 1);
    MEDIA_TYPES.iter().for_each(|kind| drop(kind.test(data)));
});
