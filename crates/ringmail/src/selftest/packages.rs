//! Archives that are not what they seem, and plugins that need each other without end.

use super::stage::Stage;
use super::{ATTACK, Attack, Mode};
use ringmail_engine::PluginFolder;
use ringmail_engine::core::label::TagTable;
use ringmail_engine::core::package::{Offer, Package, PluginNeed, resolve, sbom};

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        class: 0,
        what: "a package that is in order",
        module: ECHO,
        modes: HOST,
        by_hand: Some(whole),
        ..ATTACK
    },
    Attack {
        class: 19,
        what: "archives with paths, links, devices, two modules, and sizes that lie",
        module: ECHO,
        modes: HOST,
        by_hand: Some(archives),
        ..ATTACK
    },
    Attack { class: 20, what: "plugins that need each other in a circle", by_hand: Some(circle), ..ATTACK },
    Attack { class: 20, what: "needs that no version meets", by_hand: Some(conflict), ..ATTACK },
];

/// Nothing runs here.
const HOST: &[Mode] = &[Mode::Host];
const ECHO: &str = "(func (export \"call\") (param $p i32) (param $n i32) (result i32) (call $ok (local.get $p) (local.get $n)))";

fn parts(stage: &Stage) -> Result<Package, String> {
    let folder = stage.path().join("p");
    let read =
        PluginFolder::read(&folder, &mut TagTable::default()).map_err(|problems| problems.to_string())?;
    let manifest = std::fs::read(folder.join("plugin.toml")).map_err(|error| error.to_string())?;
    let bill = sbom(&read.manifest, &read.module, Vec::new());
    let package = Package::new(manifest, read.module, bill, None, &mut TagTable::default());
    package.map_err(|error| error.to_string())
}

fn read(archive: &[u8]) -> Result<(), String> {
    Package::read(archive, &mut TagTable::default()).map(drop).map_err(|error| error.to_string())
}

fn whole(stage: &Stage) -> Result<String, String> {
    let package = parts(stage)?;
    read(&package.bytes())?;
    // What the attacks are made with makes good ones, too.
    read(&tar(&members(&package)))?;
    Ok("it is read".into())
}

struct Member {
    name: &'static str,
    /// `0` is a file, `1` a hard link, `2` a symbolic one, `3` a device, `5` a folder.
    kind: u8,
    link: &'static str,
    size: Option<u64>,
    bytes: Vec<u8>,
}

fn members(package: &Package) -> Vec<Member> {
    let file = |name, bytes: &[u8]| Member { name, kind: b'0', link: "", size: None, bytes: bytes.to_vec() };
    vec![
        file("plugin.toml", &package.manifest_bytes),
        file("plugin.wasm", &package.module),
        file("sbom.json", &package.sbom),
    ]
}

const BLOCK: usize = 512;

fn tar(members: &[Member]) -> Vec<u8> {
    let mut out = Vec::new();
    for member in members {
        let mut header = vec![0_u8; BLOCK];
        let mut put = |at: usize, text: &[u8]| {
            header.iter_mut().skip(at).zip(text).for_each(|(slot, byte)| *slot = *byte);
        };
        put(0, member.name.as_bytes());
        put(100, b"0000644\x000000000\x000000000\x00");
        put(124, format!("{:011o}\0", member.size.unwrap_or(member.bytes.len() as u64)).as_bytes());
        put(136, b"00000000000\0");
        put(148, b"        ");
        put(156, &[member.kind]);
        put(157, member.link.as_bytes());
        put(257, b"ustar\x0000");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        let sum = format!("{sum:06o}\0 ");
        header.iter_mut().skip(148).zip(sum.as_bytes()).for_each(|(slot, byte)| *slot = *byte);
        out.extend(header);
        out.extend_from_slice(&member.bytes);
        out.resize(out.len().next_multiple_of(BLOCK), 0);
    }
    out.resize(out.len() + 2 * BLOCK, 0);
    out
}

/// One member changed.
fn with(package: &Package, at: usize, change: impl FnOnce(&mut Member)) -> Vec<u8> {
    let mut members = members(package);
    members.get_mut(at).into_iter().for_each(change_once(change));
    tar(&members)
}

fn change_once(change: impl FnOnce(&mut Member)) -> impl FnMut(&mut Member) {
    let mut change = Some(change);
    move |member| change.take().into_iter().for_each(|change| change(member))
}

fn archives(stage: &Stage) -> Result<String, String> {
    let package = parts(stage)?;
    let mut twice = members(&package);
    twice.extend(members(&package).into_iter().filter(|member| member.name == "plugin.wasm"));
    let tries = [
        ("a path", with(&package, 0, |member| member.name = "../../plugin.toml")),
        ("a whole path", with(&package, 1, |member| member.name = "/plugin.wasm")),
        ("a symbolic link", with(&package, 1, |member| (member.kind, member.link) = (b'2', "/etc/passwd"))),
        ("a hard link", with(&package, 1, |member| (member.kind, member.link) = (b'1', "plugin.toml"))),
        ("a device", with(&package, 1, |member| member.kind = b'3')),
        ("a folder", with(&package, 0, |member| member.kind = b'5')),
        ("two modules", tar(&twice)),
        ("eight gigabytes", with(&package, 1, |member| member.size = Some(0o77_777_777_777))),
        ("a packed bomb", [&[0x1f, 0x8b, 8, 0][..], &vec![0; 1 << 16]].concat()),
        ("nothing", Vec::new()),
    ];
    for (what, archive) in &tries {
        if read(archive).is_ok() {
            return Err(format!("{what} was taken"));
        }
    }
    Ok(format!("all {} refused", tries.len()))
}

fn offer(plugin: &str, version: &str, needs: &[(&str, &str)]) -> Result<Offer, String> {
    let needs = needs.iter().map(|(plugin, range)| PluginNeed::new(plugin, range));
    Ok(Offer { plugin: plugin.into(), version: version.into(), needs: needs.collect::<Result<_, _>>()? })
}

fn unsolved(wanted: &[(&str, &str)], offers: &[Offer], named: &[&str]) -> Result<String, String> {
    let wanted: Result<Vec<PluginNeed>, String> =
        wanted.iter().map(|(plugin, range)| PluginNeed::new(plugin, range)).collect();
    match resolve(&wanted?, offers) {
        Ok(found) => Err(format!("it was solved: {found:?}")),
        Err(why) => match named.iter().all(|name| why.to_string().contains(name)) {
            true => Ok(why.to_string()),
            false => Err(why.to_string()),
        },
    }
}

fn circle(_: &Stage) -> Result<String, String> {
    let offers = [
        offer("a", "1.0.0", &[("b", "*")])?,
        offer("b", "1.0.0", &[("c", "*")])?,
        offer("c", "1.0.0", &[("a", "*")])?,
    ];
    unsolved(&[("a", "*")], &offers, &["circle", "a", "b", "c"])
}

fn conflict(_: &Stage) -> Result<String, String> {
    let offers = [
        offer("a", "1.0.0", &[("c", "^1")])?,
        offer("b", "1.0.0", &[("c", "^2")])?,
        offer("c", "1.0.0", &[])?,
        offer("c", "2.0.0", &[])?,
    ];
    unsolved(&[("a", "*"), ("b", "*")], &offers, &["`c`", "^1", "^2"])
}
