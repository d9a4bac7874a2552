//! Tools that a fresh machine lacks, built once into `target/tools`.

use crate::shell::{output, root, run, say};

/// The path of a tool of this version; installs it if it is not there.
pub(crate) fn installed(name: &str, version: &str) -> Result<String, String> {
    let folder = root().join("target/tools");
    let path = folder.join("bin").join(name).display().to_string();
    let current = output(&path, &["--version"]).is_ok_and(|known| known.contains(version));
    if !current {
        say(&format!("installing {name} {version}"));
        let folder = folder.display().to_string();
        // Debug builds of these tools are fast enough, and built in a third of the time.
        let args =
            ["install", name, "--version", version, "--locked", "--debug", "--quiet", "--root", &folder];
        run("cargo", &args)?;
    }
    Ok(path)
}
