//! How often `ringmail review` is right on code that nobody here wrote: packages of fixed versions from PyPI, findings
//! that somebody read and labelled in `bench/review/labels.tsv`, and bandit, ruff and semgrep on the same trees for their time.

use crate::Outcome;
use crate::shell::{cargo, output, root, run, say};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// Dynamiq is not among them: it is the target of acceptance, scored apart.
const PACKAGES: &[&str] = &[
    "crewai==1.15.30",
    "smolagents==1.26.0",
    "llama-index-core==0.14.25",
    "langchain-community==0.4.2",
    "pydantic-ai-slim==2.68.0",
    "autogen-agentchat==0.7.5",
    "haystack-ai==3.4.1",
    "fastmcp==4.1.6",
];
/// Read by somebody who had seen no rule; fetched as sources, which have their `pyproject.toml`. The first list has taught rules since.
const BLIND: &[&str] = &["griptape==1.13.0", "agno==3.1.10"];
const UNSEEN: &[&str] = &["mem0ai==2.2.1", "semantic_kernel==1.45.0"];
const LABELS: &str = "bench/review/labels.tsv";
const SEMGREP: &str = "bench/review/semgrep.yaml";
const KEY: &str = "bench/review/key.tsv";
const BLIND_KEY: &str = "bench/review/blind.tsv";
const UNSEEN_KEY: &str = "bench/review/unseen.tsv";
/// A finding this near to what a reader named is of the same thing.
const LINES_NEAR: usize = 5;
const FOLDER: &str = "target/review";

/// A finding as `--format json` tells it, and what somebody said of it.
struct Found {
    rule: String,
    certainty: String,
    place: String,
}

pub(crate) fn run_all(args: &[String]) -> Outcome {
    let packages = fetch()?;
    say("ringmail");
    cargo(&["build", "--release", "--workspace", "--bins", "--examples"])?;
    let program = root().join("target/release/ringmail").display().to_string();
    let start = Instant::now();
    let found = review(&program, &packages)?;
    println!("{} findings in {:.1} s", found.len(), start.elapsed().as_secs_f64());
    score(&found)?;
    recall(&found, KEY)?;
    for (packages, key) in [(BLIND, BLIND_KEY), (UNSEEN, UNSEEN_KEY)] {
        recall(&review(&program, &fetch_sources(packages)?)?, key)?;
    }
    if args.iter().any(|arg| arg == "--peers") { peers(&packages) } else { Ok(()) }
}

/// The trees of the packages, each fetched once.
fn fetch() -> Result<Vec<String>, String> {
    let mut folders = Vec::new();
    for package in PACKAGES {
        let name = package.replace("==", "-");
        let folder = format!("{FOLDER}/{name}");
        if !Path::new(&folder).is_dir() {
            say(&format!("fetching {package}"));
            let to = format!("{FOLDER}/wheels/{name}");
            run(
                "python3",
                &["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", package, "-d", &to],
            )?;
            let wheel = std::fs::read_dir(&to).map_err(|error| format!("{to}: {error}"))?;
            let wheel = wheel.flatten().next().ok_or(format!("{to} is empty"))?.path().display().to_string();
            run("python3", &["-m", "zipfile", "-e", &wheel, &folder])?;
        }
        folders.push(name);
    }
    Ok(folders)
}

/// The same of those that are read blind: an archive has its one folder, named so.
fn fetch_sources(packages: &[&str]) -> Result<Vec<String>, String> {
    let mut folders = Vec::new();
    for package in packages {
        let name = package.replace("==", "-");
        if !Path::new(&format!("{FOLDER}/{name}")).is_dir() {
            say(&format!("fetching {package}"));
            let to = format!("{FOLDER}/sources");
            run(
                "python3",
                &["-m", "pip", "download", "--quiet", "--no-deps", "--no-binary=:all:", package, "-d", &to],
            )?;
            run("tar", &["-xzf", &format!("{to}/{name}.tar.gz"), "-C", FOLDER])?;
        }
        folders.push(name);
    }
    Ok(folders)
}

fn review(program: &str, packages: &[String]) -> Result<Vec<Found>, String> {
    let done = Command::new(program)
        .args(["review", "--format", "json", "--certainty", "low"])
        .args(packages)
        .current_dir(root().join(FOLDER))
        .output()
        .map_err(|error| format!("cannot run `{program}`: {error}"))?;
    let text = String::from_utf8(done.stdout).map_err(|_| "no text".to_string())?;
    let mut found = Vec::new();
    // One member a line, and those of steps lie deeper than those of findings.
    let member = |line: &str, name: &str| {
        let rest = line.strip_prefix(&format!("      \"{name}\": "))?;
        Some(rest.trim_end_matches(',').trim_matches('"').to_string())
    };
    let (mut rule, mut certainty, mut file) = (String::new(), String::new(), String::new());
    for line in text.lines() {
        if let Some(value) = member(line, "rule") {
            rule = value;
        } else if let Some(value) = member(line, "certainty") {
            certainty = value;
        } else if let Some(value) = member(line, "file") {
            file = value;
        } else if let Some(value) = member(line, "line") {
            let place = format!("{file}:{value}");
            found.push(Found { rule: rule.clone(), certainty: certainty.clone(), place });
        }
    }
    Ok(found)
}

#[derive(Default)]
struct Count {
    found: usize,
    right: usize,
    wrong: usize,
}

impl Count {
    fn add(&mut self, label: Option<bool>) {
        self.found += 1;
        self.right += usize::from(label == Some(true));
        self.wrong += usize::from(label == Some(false));
    }

    fn line(&self, name: &str) -> String {
        let labelled = self.right + self.wrong;
        let share =
            (self.right * 100).checked_div(labelled).map_or("  -".into(), |share| format!("{share:3}"));
        format!("{name:28} {:6} {labelled:9} {share} %", self.found)
    }
}

fn score(found: &[Found]) -> Outcome {
    let text = std::fs::read_to_string(LABELS).map_err(|error| format!("{LABELS}: {error}"))?;
    let mut labels = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let mut parts = line.split('\t');
        let (Some(verdict), Some(rule), Some(place)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(format!("{LABELS}: not a label: {line}"));
        };
        labels.insert((rule.to_string(), place.to_string()), verdict == "true");
    }
    let (mut rules, mut sure) = (BTreeMap::<&str, Count>::new(), BTreeMap::<&str, Count>::new());
    let mut met = 0;
    for one in found {
        let label = labels.get(&(one.rule.clone(), one.place.clone())).copied();
        met += usize::from(label.is_some());
        rules.entry(&one.rule).or_default().add(label);
        sure.entry(&one.certainty).or_default().add(label);
        if one.certainty != "low" {
            sure.entry("shown").or_default().add(label);
        }
    }
    println!("{:28} {:>6} {:>9} {:>5}", "", "found", "labelled", "right");
    sure.iter().chain(&rules).for_each(|(name, count)| println!("{}", count.line(name)));
    println!("{} labels, {} of them found no more", labels.len(), labels.len() - met);
    Ok(())
}

/// How much of what readers found is shown.
fn recall(found: &[Found], key: &str) -> Outcome {
    let text = std::fs::read_to_string(key).map_err(|error| format!("{key}: {error}"))?;
    let place = |place: &str| {
        let (file, line) = place.rsplit_once(':')?;
        Some((file.to_string(), line.parse::<usize>().ok()?))
    };
    let shown: Vec<(String, usize)> =
        found.iter().filter(|one| one.certainty != "low").filter_map(|one| place(&one.place)).collect();
    let mut areas = BTreeMap::<usize, (usize, usize)>::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let mut parts = line.split('\t');
        let area = parts.next().and_then(|area| area.parse().ok());
        let (Some(area), Some((file, line))) = (area, parts.next().and_then(place)) else {
            return Err(format!("{key}: not an entry: {line}"));
        };
        let near = |(other, at): &(String, usize)| *other == file && at.abs_diff(line) <= LINES_NEAR;
        let count = areas.entry(area).or_default();
        count.0 += 1;
        count.1 += usize::from(shown.iter().any(near));
    }
    println!("{key:28} {:>6} {:>9}", "all", "shown");
    for (area, (all, met)) in &areas {
        println!("area {area:<23} {all:6} {met:9}");
    }
    let (all, met) = areas.values().fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
    println!("{:28} {all:6} {met:9}", "all areas");
    Ok(())
}

/// The same trees, by what others use.
fn peers(packages: &[String]) -> Outcome {
    run("python3", &["-m", "venv", "bench/.venv"])?;
    run("bench/.venv/bin/pip", &["install", "--quiet", "bandit==1.9.2", "ruff==0.14.6", "semgrep==1.182.0"])?;
    let at = |tool: &str| root().join("bench/.venv/bin").join(tool).display().to_string();
    let ringmail = root().join("target/release/ringmail").display().to_string();
    let semgrep =
        ["scan", "--quiet", "--metrics=off", "--disable-version-check", "--json", "--config", SEMGREP];
    let lists: [(&str, String, &[&str]); 4] = [
        ("ringmail", ringmail, &["review", "--format", "json"]),
        ("bandit", at("bandit"), &["-q", "-r", "-f", "json"]),
        (
            "ruff S",
            at("ruff"),
            &["check", "--isolated", "--no-cache", "--select", "S", "--output-format", "json"],
        ),
        ("semgrep", at("semgrep"), &semgrep),
    ];
    for (name, program, args) in lists {
        let folders: Vec<String> = packages.iter().map(|name| format!("{FOLDER}/{name}")).collect();
        let script = "import resource,subprocess,sys,time\nt=time.time()\nsubprocess.run(sys.argv[1:],stdout=subprocess.DEVNULL,stderr=subprocess.DEVNULL)\nu=resource.getrusage(resource.RUSAGE_CHILDREN)\nprint(f'{time.time()-t:.2f} s, {u.ru_utime+u.ru_stime:.2f} s of CPU, {u.ru_maxrss//1024} MB')";
        let mut command = vec!["-c", script, &program];
        command.extend(args);
        command.extend(folders.iter().map(String::as_str));
        println!("{name:10} {}", output("python3", &command)?.trim());
    }
    Ok(())
}
