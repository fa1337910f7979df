//! Ctrl-C: the first ends the text at hand, the second ends the command.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The status of a command that was interrupted, as shells count it.
pub(super) const INTERRUPTED: u8 = 130;

/// The handler's two flags.
#[derive(Debug, Clone, Default)]
pub(super) struct Interrupt {
    /// Whether a text is being generated.
    busy: Arc<AtomicBool>,
    asked: Arc<AtomicBool>,
}

/// While it lives, Ctrl-C ends the text and not the command.
pub(super) struct Busy(Interrupt);

impl Interrupt {
    /// Takes Ctrl-C over.
    pub(super) fn install() -> anyhow::Result<Interrupt> {
        let interrupt = Interrupt::default();
        let handler = interrupt.clone();
        ctrlc::set_handler(move || {
            let busy = handler.busy.load(Ordering::Relaxed);
            if !busy || handler.asked.swap(true, Ordering::Relaxed) {
                std::process::exit(INTERRUPTED.into());
            }
        })?;
        Ok(interrupt)
    }

    /// A text begins.
    pub(super) fn busy(&self) -> Busy {
        self.asked.store(false, Ordering::Relaxed);
        self.busy.store(true, Ordering::Relaxed);
        Busy(self.clone())
    }

    /// What the handler raises.
    pub(super) fn flag(&self) -> Arc<AtomicBool> {
        self.asked.clone()
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.store(false, Ordering::Relaxed);
    }
}
