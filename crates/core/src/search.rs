//! A small index of texts, ranked by BM25. What may not be found counts for nothing, so that the order of what is found
//! tells nothing of it.

use std::collections::{BTreeMap, HashMap};

/// Words of one entry, and of what is searched for.
const WORDS_MAX: usize = 2_000;
const ASKED_MAX: usize = 32;
/// How soon more of the same word counts no more, and how much long entries count less.
const K: f64 = 1.2;
const B: f64 = 0.75;

/// Entries by their numbers, in the order in which they came.
#[derive(Debug, Default)]
pub struct Index {
    /// In which entries a word stands, and how much it weighs there.
    entries_of: HashMap<String, Vec<(usize, f64)>>,
    lengths: Vec<f64>,
}

/// The words of a text, in the form that they are looked for in: `readFiles` and `read_file` are the same two.
fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    let mut rest = text.char_indices().peekable();
    std::iter::from_fn(move || {
        while rest.next_if(|(_, c)| !c.is_alphanumeric()).is_some() {}
        let mut word = String::new();
        let mut before = None;
        while let Some((_, c)) = rest.next_if(|(_, c)| {
            c.is_alphanumeric() && !(c.is_uppercase() && before.is_some_and(char::is_lowercase))
        }) {
            before = Some(c);
            word.extend(c.to_lowercase());
        }
        (!word.is_empty()).then(|| stem(word))
    })
}

/// One or many of something are the same.
fn stem(mut word: String) -> String {
    if word.len() > 3 && word.ends_with('s') && !word.ends_with("ss") {
        word.pop();
    }
    word
}

impl Index {
    /// Takes in one more entry: texts, each with how much a word in it weighs.
    pub fn add<'t>(&mut self, texts: impl IntoIterator<Item = (f64, &'t str)>) {
        let number = self.lengths.len();
        let (mut weights, mut length) = (BTreeMap::<String, f64>::new(), 0.0);
        let all = texts.into_iter().flat_map(|(weight, text)| words(text).map(move |word| (weight, word)));
        for (weight, word) in all.take(WORDS_MAX) {
            *weights.entry(word).or_default() += weight;
            length += 1.0;
        }
        for (word, weight) in weights {
            self.entries_of.entry(word).or_default().push((number, weight));
        }
        self.lengths.push(length);
    }

    /// The entries that hold any of the words, the best first, among those that may be found.
    pub fn find(&self, asked: &str, may: impl Fn(usize) -> bool) -> Vec<usize> {
        let may: Vec<bool> = (0..self.lengths.len()).map(may).collect();
        let allowed = |number: usize| may.get(number) == Some(&true);
        let lengths = self.lengths.iter().enumerate().filter(|(number, _)| allowed(*number));
        let (count, length) =
            lengths.fold((0.0, 0.0), |(count, sum), (_, length)| (count + 1.0, sum + length));
        let mean = if length > 0.0 { length / count } else { 1.0 };
        let mut asked: Vec<String> = words(asked).take(ASKED_MAX).collect();
        asked.sort_unstable();
        asked.dedup();
        let mut scores = BTreeMap::<usize, f64>::new();
        for word in &asked {
            let entries = self.entries_of.get(word).into_iter().flatten();
            let entries: Vec<&(usize, f64)> = entries.filter(|(number, _)| allowed(*number)).collect();
            let holding = entries.len() as f64;
            let rare = (1.0 + (count - holding + 0.5) / (holding + 0.5)).ln();
            for (number, weight) in entries {
                let length = self.lengths.get(*number).copied().unwrap_or(mean);
                let score = rare * weight * (K + 1.0) / (weight + K * (1.0 - B + B * length / mean));
                *scores.entry(*number).or_default() += score;
            }
        }
        let mut found: Vec<(usize, f64)> = scores.into_iter().collect();
        found.sort_by(|(one, a), (other, b)| b.total_cmp(a).then(one.cmp(other)));
        found.into_iter().map(|(number, _)| number).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(entries: &[(&str, &str)]) -> Index {
        let mut index = Index::default();
        entries.iter().for_each(|(name, text)| index.add([(3.0, *name), (1.0, *text)]));
        index
    }

    const ENTRIES: &[(&str, &str)] = &[
        ("send_mail", "sends a message to somebody"),
        ("readFiles", "reads all files of a folder"),
        ("list_events", "what is in a calendar, as a list of events"),
        ("read_mail", "the newest message of a mailbox"),
        ("Über_Größe", "wie groß etwas ist"),
    ];

    #[test]
    fn words_are_found_however_they_are_written() {
        let index = index(ENTRIES);
        for (asked, expected) in [
            ("file", &[1][..]),
            ("FILES", &[1]),
            ("mail", &[0, 3]),
            ("read mail", &[3, 1, 0]),
            ("message mailbox", &[3, 0]),
            ("calendar events", &[2]),
            ("über größe", &[4]),
            ("nothing of it", &[1, 3, 2]),
            ("-- ' \"", &[]),
            ("", &[]),
        ] {
            assert_eq!(index.find(asked, |_| true), expected, "{asked}");
        }
    }

    #[test]
    fn what_may_not_be_found_is_not_and_changes_no_order() {
        let alone = index(&ENTRIES[..2]);
        let mut hidden: Vec<(&str, &str)> = ENTRIES[..2].to_vec();
        let long = "sends ".repeat(50);
        hidden.extend(std::iter::repeat_n(("sends_a", long.as_str()), 100));
        let hidden = index(&hidden);
        for asked in ["sends reads", "a", "folder message", "sends"] {
            let found = hidden.find(asked, |number| number < 2);
            assert_eq!(found, alone.find(asked, |_| true), "{asked}");
        }
    }

    #[test]
    fn an_entry_without_end_counts_so_many_words() {
        let mut index = Index::default();
        index.add([(1.0, format!("{} last", "word ".repeat(WORDS_MAX)).as_str())]);
        assert_eq!(index.find("word", |_| true), [0]);
        assert!(index.find("last", |_| true).is_empty());
        let asked: Vec<String> = (0..ASKED_MAX).map(|number| format!("w{number}")).collect();
        assert!(index.find(&format!("{} word", asked.join(" ")), |_| true).is_empty());
    }
}
