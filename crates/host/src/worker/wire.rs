//! What a host and its worker say to each other: frames of a length and fields, each read within bounds. A worker may be
//! in the hands of a guest that broke out, so whatever comes from one may lie.

use crate::call::{CallFigures, Ended, Halt};
use crate::capability::{Denied, ToolCard};
use crate::limits::CallLimits;
use std::time::Duration;

/// Bytes of a frame's length.
pub(super) const HEAD_BYTES: usize = 4;
/// What a frame may hold beside what a guest hands over.
pub(super) const FRAME_BYTES_MORE: usize = 256 << 10;
/// Most things in one list.
const ITEMS_MAX: u32 = 10_000;

#[derive(Debug)]
pub(super) enum ToWorker {
    Load { capabilities: Vec<String>, env: Vec<(String, String)>, code: Vec<u8> },
    Call { limits: CallLimits, input: String },
    Answer(Answer),
}

#[derive(Debug)]
pub(super) enum FromWorker {
    Ready,
    Unfit(String),
    Ask { capability: String, tool: Option<String>, args: String },
    Secret(String),
    Setting(String),
    Now,
    Random(u32),
    Tools,
    Ended(Ended),
}

/// What a host answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Value(Result<String, Denied>),
    Text(Option<String>),
    Number(u64),
    Bytes(Option<Vec<u8>>),
    Tools(Vec<ToolCard>),
}

/// Fields, one after the other, behind room for the frame's length.
pub(super) struct Writer(Vec<u8>);

impl Writer {
    fn new(kind: u8) -> Writer {
        Writer([0; HEAD_BYTES].into_iter().chain([kind]).collect())
    }

    fn byte(mut self, byte: u8) -> Writer {
        self.0.push(byte);
        self
    }

    fn number(mut self, number: u64) -> Writer {
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }

    fn bytes(self, bytes: &[u8]) -> Writer {
        let mut out = self.number(bytes.len() as u64);
        out.0.extend_from_slice(bytes);
        out
    }

    fn text(self, text: &str) -> Writer {
        self.bytes(text.as_bytes())
    }

    fn option<T>(self, value: Option<T>, write: impl FnOnce(Writer, T) -> Writer) -> Writer {
        match value {
            Some(value) => write(self.byte(1), value),
            None => self.byte(0),
        }
    }

    fn list<T>(self, items: &[T], write: impl Fn(Writer, &T) -> Writer) -> Writer {
        items.iter().fold(self.number(items.len() as u64), write)
    }

    /// The frame. Nothing if it is longer than its head can say.
    fn frame(self) -> Option<Vec<u8>> {
        let mut out = self.0;
        let length = u32::try_from(out.len() - HEAD_BYTES).ok()?;
        out.get_mut(..HEAD_BYTES)?.copy_from_slice(&length.to_le_bytes());
        Some(out)
    }
}

/// Fields as they are read; nothing where they do not add up.
struct Reader<'f>(&'f [u8]);

impl<'f> Reader<'f> {
    fn take(&mut self, count: usize) -> Option<&'f [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn number(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn bytes(&mut self) -> Option<Vec<u8>> {
        let count = usize::try_from(self.number()?).ok()?;
        Some(self.take(count)?.to_vec())
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?).ok()
    }

    fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        match self.byte()? {
            0 => Some(None),
            1 => read(self).map(Some),
            _ => None,
        }
    }

    fn list<T>(&mut self, read: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.number()?;
        if count > u64::from(ITEMS_MAX) {
            return None;
        }
        (0..count).map(|_| read(self)).collect()
    }

    /// Nothing is left over.
    fn end<T>(self, value: T) -> Option<T> {
        self.0.is_empty().then_some(value)
    }
}

impl ToWorker {
    pub(super) fn to_frame(&self) -> Option<Vec<u8>> {
        match self {
            ToWorker::Load { capabilities, env, code } => Writer::new(0)
                .list(capabilities, |out, name| out.text(name))
                .list(env, |out, (key, value)| out.text(key).text(value))
                .bytes(code),
            ToWorker::Call { limits, input } => Writer::new(1)
                .number(limits.memory_bytes_max as u64)
                .number(u64::try_from(limits.time_max.as_micros()).unwrap_or(u64::MAX))
                .number(limits.fuel_max)
                .number(limits.output_bytes_max as u64)
                .number(limits.asks_max)
                .text(input),
            ToWorker::Answer(answer) => answer.write(Writer::new(2)),
        }
        .frame()
    }

    pub(super) fn read(frame: &[u8]) -> Option<ToWorker> {
        let mut from = Reader(frame);
        let said = match from.byte()? {
            0 => ToWorker::Load {
                capabilities: from.list(Reader::text)?,
                env: from.list(|from| Some((from.text()?, from.text()?)))?,
                code: from.bytes()?,
            },
            1 => {
                let limits = CallLimits {
                    memory_bytes_max: usize::try_from(from.number()?).ok()?,
                    time_max: Duration::from_micros(from.number()?),
                    fuel_max: from.number()?,
                    output_bytes_max: usize::try_from(from.number()?).ok()?,
                    asks_max: from.number()?,
                };
                ToWorker::Call { limits, input: from.text()? }
            }
            2 => ToWorker::Answer(Answer::read(&mut from)?),
            _ => return None,
        };
        from.end(said)
    }
}

impl Answer {
    fn write(&self, out: Writer) -> Writer {
        match self {
            Answer::Value(Ok(value)) => out.byte(0).text(value),
            Answer::Value(Err(denied)) => out.byte(1).byte(denied.refused.into()).text(&denied.message),
            Answer::Text(text) => out.byte(2).option(text.as_deref(), Writer::text),
            Answer::Number(number) => out.byte(3).number(*number),
            Answer::Bytes(bytes) => out.byte(4).option(bytes.as_deref(), Writer::bytes),
            Answer::Tools(tools) => out.byte(5).list(tools, |out, tool| {
                out.text(&tool.name).text(&tool.description).option(tool.input.as_deref(), Writer::text)
            }),
        }
    }

    fn read(from: &mut Reader<'_>) -> Option<Answer> {
        Some(match from.byte()? {
            0 => Answer::Value(Ok(from.text()?)),
            1 => Answer::Value(Err(Denied { refused: from.byte()? != 0, message: from.text()? })),
            2 => Answer::Text(from.option(Reader::text)?),
            3 => Answer::Number(from.number()?),
            4 => Answer::Bytes(from.option(Reader::bytes)?),
            5 => Answer::Tools(from.list(|from| {
                let (name, description) = (from.text()?, from.text()?);
                Some(ToolCard { name, description, input: from.option(Reader::text)? })
            })?),
            _ => return None,
        })
    }
}

impl FromWorker {
    pub(super) fn to_frame(&self) -> Option<Vec<u8>> {
        match self {
            FromWorker::Ready => Writer::new(0),
            FromWorker::Unfit(why) => Writer::new(1).text(why),
            FromWorker::Ask { capability, tool, args } => {
                Writer::new(2).text(capability).option(tool.as_deref(), Writer::text).text(args)
            }
            FromWorker::Secret(name) => Writer::new(3).text(name),
            FromWorker::Setting(key) => Writer::new(4).text(key),
            FromWorker::Now => Writer::new(5),
            FromWorker::Random(count) => Writer::new(6).number((*count).into()),
            FromWorker::Tools => Writer::new(7),
            FromWorker::Ended(Ended { result, printed, figures, dump: _ }) => {
                let out = Writer::new(8).text(printed);
                let out = out.number(figures.fuel).number(figures.memory_bytes_peak as u64);
                let out = out.number(u64::try_from(figures.cpu.as_micros()).unwrap_or(u64::MAX));
                match result {
                    Ok(output) => out.byte(0).text(output),
                    Err(Halt::Failed(why)) => out.byte(1).text(why),
                    Err(Halt::Time(_)) => out.byte(2),
                    Err(Halt::Fuel(_)) => out.byte(3),
                    Err(Halt::Memory(_)) => out.byte(4),
                    Err(Halt::Stack) => out.byte(5),
                    Err(Halt::Output(_)) => out.byte(6),
                    Err(Halt::Asks(_)) => out.byte(7),
                    Err(Halt::Left(code)) => out.byte(8).number(u64::from(code.cast_unsigned())),
                    Err(Halt::Broke(why)) => out.byte(9).text(why),
                    Err(Halt::Large(why)) => out.byte(10).text(why),
                }
            }
        }
        .frame()
    }

    /// `limits` are those of the call, which a worker is not asked about.
    pub(super) fn read(frame: &[u8], limits: &CallLimits) -> Option<FromWorker> {
        let mut from = Reader(frame);
        let said = match from.byte()? {
            0 => FromWorker::Ready,
            1 => FromWorker::Unfit(from.text()?),
            2 => FromWorker::Ask {
                capability: from.text()?,
                tool: from.option(Reader::text)?,
                args: from.text()?,
            },
            3 => FromWorker::Secret(from.text()?),
            4 => FromWorker::Setting(from.text()?),
            5 => FromWorker::Now,
            6 => FromWorker::Random(u32::try_from(from.number()?).ok()?),
            7 => FromWorker::Tools,
            8 => {
                let printed = from.text()?;
                let figures = CallFigures {
                    fuel: from.number()?.min(limits.fuel_max),
                    memory_bytes_peak: usize::try_from(from.number()?).ok()?.min(limits.memory_bytes_max),
                    cpu: Duration::from_micros(from.number()?).min(limits.time_max),
                    ..CallFigures::default()
                };
                let result = match from.byte()? {
                    0 => Ok(from.text()?),
                    1 => Err(Halt::Failed(from.text()?)),
                    2 => Err(Halt::Time(limits.time_max)),
                    3 => Err(Halt::Fuel(limits.fuel_max)),
                    4 => Err(Halt::Memory(limits.memory_bytes_max)),
                    5 => Err(Halt::Stack),
                    6 => Err(Halt::Output(limits.output_bytes_max)),
                    7 => Err(Halt::Asks(limits.asks_max)),
                    8 => Err(Halt::Left(u32::try_from(from.number()?).ok()?.cast_signed())),
                    9 => Err(Halt::Broke(from.text()?)),
                    10 => Err(Halt::Large(from.text()?)),
                    _ => return None,
                };
                FromWorker::Ended(Ended { result, printed, figures, dump: None })
            }
            _ => return None,
        };
        from.end(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let limits = CallLimits::default();
        let call = ToWorker::Call { limits, input: "[1]".into() };
        let answers = [
            Answer::Value(Ok("{}".into())),
            Answer::Value(Err(Denied { refused: true, message: "no".into() })),
            Answer::Text(None),
            Answer::Number(7),
            Answer::Bytes(Some(vec![1, 2])),
            Answer::Tools(vec![ToolCard {
                name: "t".into(),
                description: "d".into(),
                input: Some("{}".into()),
            }]),
        ];
        let answers = answers.into_iter().map(ToWorker::Answer);
        let load = ToWorker::Load {
            capabilities: vec!["net".into()],
            env: vec![("a".into(), "b".into())],
            code: vec![0; 99],
        };
        for said in answers.chain([call, load]) {
            let frame = said.to_frame().unwrap();
            let read = ToWorker::read(&frame[HEAD_BYTES..]).unwrap();
            assert_eq!(format!("{read:?}"), format!("{said:?}"));
        }
    }

    /// Whatever a worker sends is a message or nothing, and what it says of itself is cut at the limits.
    #[test]
    fn attack_12_no_frame_of_a_worker_is_believed() {
        let limits = CallLimits::default();
        let figures = CallFigures { fuel: u64::MAX, memory_bytes_peak: usize::MAX, ..CallFigures::default() };
        let ended = Ended { result: Ok("1".into()), printed: String::new(), figures, dump: None };
        let asks = FromWorker::Ask { capability: "net".into(), tool: None, args: "{}".into() };
        for said in [FromWorker::Ended(ended), asks, FromWorker::Random(9), FromWorker::Unfit("x".into())] {
            let whole = said.to_frame().unwrap();
            let frame = &whole[HEAD_BYTES..];
            assert!(FromWorker::read(frame, &limits).is_some());
            for cut in 0..frame.len() {
                assert!(FromWorker::read(&frame[..cut], &limits).is_none(), "{said:?} cut at {cut}");
            }
            for at in 0..frame.len() {
                for byte in [0, 1, 0x7f, 0xff] {
                    let mut lies = frame.to_vec();
                    lies[at] = byte;
                    if let Some(FromWorker::Ended(ended)) = FromWorker::read(&lies, &limits) {
                        assert!(ended.figures.fuel <= limits.fuel_max);
                        assert!(ended.figures.memory_bytes_peak <= limits.memory_bytes_max);
                    }
                }
            }
            let longer = [frame, &[0]].concat();
            assert!(FromWorker::read(&longer, &limits).is_none(), "something is left over");
        }
    }
}
