//! The marks by which chat models tell speakers apart. In data they try to speak for somebody else.

use super::bytes::starts;
use super::{Detector, Gives};
use std::ops::Range;

pub(super) static DETECTOR: Detector = Detector {
    name: "chat_markup",
    doc: "marks of chat templates that set a speaker apart, such as `<|im_start|>`",
    gives: Gives::Signal,
    triggers: b"<[",
    before: |_| true,
    after: |byte| b"|</seI".contains(&byte),
    at,
};

const MARKS: &[&str] = &[
    "<|im_start|>",
    "<|im_end|>",
    "<|system|>",
    "<|user|>",
    "<|assistant|>",
    "<|endoftext|>",
    "<|end|>",
    "<|eot_id|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|begin_of_text|>",
    "<|channel|>",
    "<<SYS>>",
    "<</SYS>>",
    "[INST]",
    "[/INST]",
    "<start_of_turn>",
    "<end_of_turn>",
];

fn at(text: &str, at: usize) -> Option<Range<usize>> {
    let mark = MARKS.iter().find(|mark| starts(text.as_bytes(), at, mark.as_bytes()))?;
    Some(at..at + mark.len())
}
