//! Reads `environments`.

use super::{Field, Reader};
use crate::config::{Alias, Bots, Config, Controller, Environment};
use crate::span::Span;
use crate::yaml::{Kind, Node};

impl Reader {
    pub(super) fn environments(&mut self, node: &Node) -> Vec<Environment> {
        let mut environments: Vec<Environment> = Vec::new();
        let mut below: Vec<(String, Span)> = Vec::new();
        for item in self.list(node, "`environments`") {
            let known = [
                "name",
                "aliases",
                "branch",
                "repository",
                "promotesFrom",
                "protected",
                "soak",
                "evidence",
                "approvals",
                "bots",
            ];
            let fields = self.fields(item, &known, "an environment");
            let usual = Config::default();
            let mut environment = Environment {
                name: String::new(),
                aliases: Vec::new(),
                branch: None,
                repository: None,
                promotes_from: None,
                protected: false,
                soak: None,
                evidence: None,
                approvals: 0,
                bots: Bots::Allow,
                bot_accounts: Vec::new(),
            };
            let asks_for_approvals = fields.iter().any(|field| field.name == "approvals");
            for Field { name, value } in fields {
                match name.as_str() {
                    "name" => environment.name = self.text(value, "a name").unwrap_or_default(),
                    "aliases" => {
                        environment.aliases =
                            self.texts(value, "an alias").iter().map(|(text, _)| Alias::new(text)).collect();
                    }
                    "branch" => environment.branch = self.text(value, "a branch's name"),
                    "repository" => environment.repository = self.text(value, "a clone's name"),
                    "promotesFrom" => {
                        let names = self.texts(value, "an environment's name");
                        environment.promotes_from = Some(names.iter().map(|(name, _)| name.clone()).collect());
                        below.extend(names);
                    }
                    "protected" => environment.protected = self.flag(value, "`protected`"),
                    "soak" => environment.soak = self.duration(value, "`soak`"),
                    // What is not known was refused above.
                    other => self.asked_of_environment(other, value, &mut environment),
                }
            }
            // A protected environment asks for one approval unless it says how many.
            if environment.protected && !asks_for_approvals {
                environment.approvals = 1;
            }
            if environment.name.is_empty() {
                self.problem(item.origin.span, "this environment has no name", "add `name`");
                continue;
            }
            if environments.iter().any(|known| known.name == environment.name) {
                self.problem(
                    item.origin.span,
                    format!("there are two environments `{}`", environment.name),
                    "keep one of the two",
                );
                continue;
            }
            // The usual folder names of an environment count without being written down.
            if let Some(usual) = usual.environments.iter().find(|usual| usual.name == environment.name) {
                environment.aliases.extend(usual.aliases.iter().cloned());
            }
            environment.aliases.insert(0, Alias::new(&environment.name));
            environments.push(environment);
        }
        for (name, span) in below {
            let known: Vec<&str> = environments.iter().map(|environment| environment.name.as_str()).collect();
            if !known.contains(&name.as_str()) {
                self.unknown_environment(&name, span, &known);
            }
        }
        self.refuse_promotion_cycles(&environments, node.origin.span);
        environments
    }

    /// What an environment asks of what enters it.
    fn asked_of_environment(&mut self, name: &str, value: &Node, environment: &mut Environment) {
        match name {
            "evidence" => match value.as_text() {
                Some("argocd") => environment.evidence = Some(Controller::ArgoCd),
                Some("flux") => environment.evidence = Some(Controller::Flux),
                _ => {
                    self.problem(
                        value.origin.span,
                        "`evidence` must be `argocd` or `flux`",
                        "write `evidence: argocd`",
                    );
                }
            },
            "approvals" => match value.as_scalar().map(|scalar| scalar.kind) {
                Some(Kind::Int(count)) if count >= 0 => {
                    environment.approvals = usize::try_from(count).unwrap_or(usize::MAX);
                }
                _ => self.problem(value.origin.span, "`approvals` must be a whole number", "write for example `2`"),
            },
            "bots" => match value.as_text() {
                Some("allow") => environment.bots = Bots::Allow,
                Some("deny") => environment.bots = Bots::Deny,
                None if value.as_mapping().is_some() => self.bots(value, environment),
                _ => self.problem(
                    value.origin.span,
                    "`bots` must be `allow` or `deny`",
                    "write `bots: deny`, or `bots: {deny: true, accounts: [\"*-ci@example.com\"]}`",
                ),
            },
            _ => {}
        }
    }

    fn bots(&mut self, node: &Node, environment: &mut Environment) {
        for Field { name, value } in self.fields(node, &["deny", "accounts"], "`bots`") {
            match name.as_str() {
                "deny" if self.flag(value, "`deny`") => environment.bots = Bots::Deny,
                "accounts" => {
                    let accounts = self.texts(value, "an account");
                    environment.bot_accounts = accounts.into_iter().map(|(account, _)| account).collect();
                }
                _ => {}
            }
        }
    }

    fn refuse_promotion_cycles(&mut self, environments: &[Environment], span: Span) {
        for environment in environments {
            let mut seen = vec![&environment.name];
            let mut next: Vec<&String> = environment.promotes_from.iter().flatten().collect();
            while let Some(name) = next.pop() {
                if *name == environment.name {
                    let message = format!("the environment `{name}` promotes from itself, directly or through others");
                    self.problem(
                        span,
                        message,
                        "promotion goes upwards only: let each environment promote from a lower one",
                    );
                    return;
                }
                if !seen.contains(&name) {
                    seen.push(name);
                    let found = environments.iter().find(|known| known.name == *name);
                    next.extend(found.and_then(|found| found.promotes_from.as_ref()).into_iter().flatten());
                }
            }
        }
    }
}
