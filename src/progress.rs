//! What a person sees of long work, in a terminal.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use parking_lot::Mutex;

/// Work that is shorter than this shows nothing.
const PATIENCE: Duration = Duration::from_millis(500);

/// Shows how far long work is.
pub struct Progress {
    is_shown: bool,
    work: Mutex<Option<Work>>,
    done: AtomicU64,
}

struct Work {
    began: Instant,
    bar: ProgressBar,
}

impl Progress {
    /// Never shows anything.
    #[must_use]
    pub fn silent() -> &'static Self {
        static SILENT: Progress =
            Progress { is_shown: false, work: parking_lot::const_mutex(None), done: AtomicU64::new(0) };
        &SILENT
    }

    /// Shows it on standard error, which is a terminal.
    #[must_use]
    pub fn in_terminal() -> Self {
        Self { is_shown: true, work: Mutex::new(None), done: AtomicU64::new(0) }
    }

    /// Begins work of so many steps; what was shown before ends.
    pub fn begin(&self, what: &'static str, steps: usize) {
        self.end();
        if self.is_shown {
            self.done.store(0, Ordering::Relaxed);
            let bar = ProgressBar::with_draw_target(Some(steps as u64), ProgressDrawTarget::hidden());
            let style = ProgressStyle::with_template("{msg} {pos}/{len} {wide_bar} {eta}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_message(what);
            *self.work.lock() = Some(Work { began: Instant::now(), bar });
        }
    }

    /// One step is done.
    pub fn advance(&self) {
        if !self.is_shown {
            return;
        }
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        // Whoever else is at it shows this step, too.
        if let Some(work) = self.work.try_lock().as_deref().and_then(Option::as_ref)
            && work.began.elapsed() > PATIENCE
        {
            if work.bar.is_hidden() {
                work.bar.set_draw_target(ProgressDrawTarget::stderr());
            }
            work.bar.set_position(done);
        }
    }

    /// Shows nothing any more.
    pub fn end(&self) {
        if let Some(work) = self.work.lock().take() {
            work.bar.finish_and_clear();
        }
    }
}
