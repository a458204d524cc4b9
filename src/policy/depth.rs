//! How deep the expressions of a policy would become as a tree. Libraries walk that tree by recursion, so what is too deep is refused
//! before they see it.

/// The deepest tree that is read.
const MOST: usize = 400;

/// The stack that the deepest of it needs, with room to spare.
const STACK: usize = 64 << 20;

/// Does work that reads or evaluates policies, with the stack that it needs.
///
/// # Errors
/// When no thread can be had for it.
pub fn with_room<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, String> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work);
        let thread = thread.map_err(|error| format!("there is no memory for a thread: {error}"))?;
        thread.join().map_err(|_| "evaluating a policy has failed".to_owned())
    })
}

/// Follows the tokens of a text, and knows the depth of the tree that they make at most.
pub(super) struct Depth {
    /// What is open, the outermost first.
    levels: Vec<Level>,
}

#[derive(Default)]
struct Level {
    /// The deepest of what is complete in it.
    complete: usize,
    /// The deepest of what the current expression holds.
    inner: usize,
    /// How many operators, calls and fields the current operand is chained of.
    links: usize,
    /// How many operands there have been, and how deep the deepest of them is.
    joins: usize,
    operands: usize,
}

impl Level {
    fn depth(&self) -> usize {
        self.complete.max(self.joins + self.operands.max(self.inner + self.links))
    }
}

impl Depth {
    pub(super) fn new() -> Self {
        Self { levels: vec![Level::default()] }
    }

    /// A bracket opens.
    pub(super) fn open(&mut self) {
        self.levels.push(Level::default());
    }

    /// A bracket closes.
    pub(super) fn close(&mut self) {
        if self.levels.len() < 2 {
            return;
        }
        let depth = self.levels.pop().map_or(0, |level| level.depth()) + 1;
        if let Some(level) = self.levels.last_mut() {
            level.inner = level.inner.max(depth);
        }
    }

    /// An operator, a call, a field: what makes one expression of two.
    pub(super) fn link(&mut self) {
        if let Some(level) = self.levels.last_mut() {
            level.links += 1;
        }
    }

    /// An operator that binds less than all those before and after it.
    pub(super) fn join(&mut self) {
        if let Some(level) = self.levels.last_mut() {
            level.operands = level.operands.max(level.inner + level.links);
            (level.inner, level.links) = (0, 0);
            level.joins += 1;
        }
    }

    /// An expression ends.
    pub(super) fn separate(&mut self) {
        if let Some(level) = self.levels.last_mut() {
            *level = Level { complete: level.depth(), ..Level::default() };
        }
    }

    /// Says that the text is too deep, if it is.
    pub(super) fn check(&self) -> Result<(), String> {
        let depth = self.levels.last().map_or(0, Level::depth).max(self.levels.len());
        if depth > MOST { Err(format!("an expression is nested deeper than {MOST} levels")) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a text in which `x` is a value, `+` a link, `|` a join, and `,` ends an expression.
    fn depth(text: &str) -> usize {
        let mut depth = Depth::new();
        for character in text.chars() {
            match character {
                '(' => depth.open(),
                ')' => depth.close(),
                '+' => depth.link(),
                '|' => depth.join(),
                ',' => depth.separate(),
                _ => {}
            }
        }
        assert!(depth.check().is_ok());
        depth.levels[0].depth()
    }

    #[test]
    fn the_depth_is_that_of_the_tree() {
        for (text, expected) in [
            ("x", 0),
            ("x+x+x", 2),
            ("x,x,x", 0),
            ("((x))", 2),
            ("(x+x)+x", 3),
            ("x+(x+x),x+x", 3),
            ("x)+x", 1),
            ("x+x|x+x|x", 3),
            ("(x|x)|x", 3),
        ] {
            assert_eq!(depth(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_too_deep_is_told() {
        let mut depth = Depth::new();
        for _ in 0..MOST {
            depth.link();
        }
        assert!(depth.check().is_ok());
        depth.link();
        assert!(depth.check().is_err_and(|why| why.contains("400 levels")));
        let mut depth = Depth::new();
        for _ in 0..MOST {
            depth.open();
        }
        assert!(depth.check().is_err());
    }
}
