//! What the names of commands in a project lead to, and what its ceiling leaves of them.

use super::{Loader, Project, items, texts};
use crate::doc::Node;

impl Loader<'_> {
    /// What commands and grants of them lead to, and what the ceiling leaves of it.
    pub(super) fn check_commands(&mut self, project: &Project, node: &Node) {
        let known = |name: &str| project.commands.iter().any(|command| &*command.name == name);
        let granted = items(node, "grant").iter().flat_map(|grant| items(grant, "command"));
        let granted =
            granted.filter_map(|rule| rule.get("name")).filter_map(|name| Some((name.text()?, name.span)));
        let most = texts(node.get("ceiling"), "commands");
        for (name, span) in granted.chain(most).filter(|(name, _)| !known(name)) {
            let help = format!("add:\n[command.{name}]\nprogram = \"...\"");
            self.problems.add_help(self.source, span, format!("there is no command `{name}`"), help);
        }
        for (_, command) in node.get("command").map_or(&[][..], Node::entries) {
            for mount in items(command, "mounts").iter().filter_map(|item| item.get("mount")) {
                let name = mount.text().unwrap_or_default();
                if !project.mounts.iter().any(|(known, _)| &**known == name) {
                    let help = format!("add:\n[mount.{name}]\npath = \"...\"");
                    self.problems.add_help(
                        self.source,
                        mount.span,
                        format!("there is no mount `{name}`"),
                        help,
                    );
                } else if project
                    .ceiling
                    .mounts
                    .as_ref()
                    .is_some_and(|most| !most.iter().any(|known| &**known == name))
                {
                    self.wrong(mount.span, format!("the ceiling does not allow the mount `{name}`"));
                }
            }
            if let Some(net) = command.get("net").filter(|_| project.ceiling.net.is_some()) {
                let why = "a program with ports reaches any host, and the ceiling lists addresses";
                self.wrong(net.span, why);
            }
        }
    }
}
