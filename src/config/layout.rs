use crate::sources::RepoPath;

/// A pattern for overlay folders, such as `apps/{app}/overlays/{env}`.
#[derive(Clone, Debug)]
pub struct Layout {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    App,
    /// One or more segments.
    AppPath,
    Environment,
    Cluster,
}

/// What a folder's path says by a layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matched {
    /// The application.
    pub app: String,
    /// The folder's name for the environment; empty where the layout has none.
    pub environment: String,
    /// The cluster; empty where the layout has none.
    pub cluster: String,
}

impl Layout {
    /// Reads a pattern; says what is wrong with it.
    ///
    /// # Errors
    /// When an application is missing, or a placeholder is unknown or stands twice.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        for segment in text.split('/').filter(|segment| !segment.is_empty() && *segment != ".") {
            parts.push(match segment {
                "{app}" => Part::App,
                "{app...}" => Part::AppPath,
                "{env}" => Part::Environment,
                "{cluster}" => Part::Cluster,
                ".." => return Err("a layout cannot leave the repository".to_owned()),
                other if other.contains(['{', '}']) => {
                    return Err(format!(
                        "`{other}` is not a valid placeholder; use `{{app}}`, `{{app...}}`, `{{env}}` or `{{cluster}}`"
                    ));
                }
                literal => Part::Literal(literal.to_owned()),
            });
        }
        let count = |wanted: &[Part]| parts.iter().filter(|part| wanted.contains(part)).count();
        if count(&[Part::Environment]) > 1 {
            return Err("a layout can have at most one `{env}`".to_owned());
        }
        if count(&[Part::App, Part::AppPath]) != 1 {
            return Err("a layout needs exactly one `{app}` or `{app...}`".to_owned());
        }
        if count(&[Part::Cluster]) > 1 {
            return Err("a layout can have at most one `{cluster}`".to_owned());
        }
        Ok(Self { parts })
    }

    /// Whether the path of a folder names its environment.
    #[must_use]
    pub fn names_environment(&self) -> bool {
        self.parts.contains(&Part::Environment)
    }

    /// What the path of a folder says, where it fits.
    #[must_use]
    pub fn matches(&self, folder: &RepoPath) -> Option<Matched> {
        let segments: Vec<&str> = folder.segments().collect();
        let spread = self.parts.contains(&Part::AppPath);
        let app_segments =
            (segments.len() + 1).checked_sub(self.parts.len()).filter(|count| *count > 0 && (spread || *count == 1))?;
        let mut matched = Matched { app: String::new(), environment: String::new(), cluster: String::new() };
        let mut rest = segments.as_slice();
        for part in &self.parts {
            let take = if *part == Part::AppPath { app_segments } else { 1 };
            let (here, behind) = rest.split_at_checked(take)?;
            rest = behind;
            match part {
                Part::Literal(literal) if here[0] != literal => return None,
                Part::Literal(_) => {}
                Part::App | Part::AppPath => matched.app = here.join("/"),
                Part::Environment => here[0].clone_into(&mut matched.environment),
                Part::Cluster => here[0].clone_into(&mut matched.cluster),
            }
        }
        Some(matched)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matched(layout: &str, path: &str) -> Option<(String, String, String)> {
        let found = Layout::parse(layout).unwrap().matches(&RepoPath::new(path).unwrap())?;
        Some((found.app, found.environment, found.cluster))
    }

    #[test]
    fn layouts_name_app_environment_and_cluster() {
        let three = |a: &str, b: &str, c: &str| Some((a.to_owned(), b.to_owned(), c.to_owned()));
        assert_eq!(matched("apps/{app}/overlays/{env}", "apps/api/overlays/dev"), three("api", "dev", ""));
        assert_eq!(matched("apps/{app}/overlays/{env}", "apps/api/overlays/dev/x"), None);
        assert_eq!(matched("{app...}/{env}/{cluster}", "a/b/prod/eu"), three("a/b", "prod", "eu"));
        assert_eq!(matched("clusters/{env}/{app}", "clusters/prod/api"), three("api", "prod", ""));
        assert_eq!(matched("apps/{app}/overlays/{env}", "apps"), None);
        assert_eq!(matched("kubernetes/{app...}", "kubernetes/a/b"), three("a/b", "", ""));
    }

    #[test]
    fn incomplete_layouts_are_refused() {
        for layout in ["{env}/{env}/{app}", "{env}", "x{app}/{env}", "../{app}/{env}", "{app}/{app...}/{env}"] {
            assert!(Layout::parse(layout).is_err(), "{layout}");
        }
    }
}
