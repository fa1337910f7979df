//! How a server is asked to end.

use std::io;
use std::sync::Arc;

use tokio::sync::watch;

/// How a server is asked to end. Clones ask the same server.
#[derive(Debug, Clone)]
pub struct Stop {
    asked: Arc<watch::Sender<u32>>,
    by_signals: bool,
}

impl Default for Stop {
    fn default() -> Stop {
        Stop { asked: Arc::new(watch::Sender::new(0)), by_signals: false }
    }
}

impl Stop {
    /// One that Ctrl-C and SIGTERM ask too.
    #[must_use]
    pub fn by_signals() -> Stop {
        Stop { by_signals: true, ..Stop::default() }
    }

    /// Once: what runs ends, nothing new is taken. Twice: at once.
    pub fn ask(&self) {
        self.asked.send_modify(|times| *times += 1);
    }

    /// Until it was asked so many times.
    pub(crate) async fn asked(&self, times: u32) {
        // The sender lives as long as we do.
        let _ = self.asked.subscribe().wait_for(|asked| *asked >= times).await;
    }

    /// Begins to listen to signals, within a runtime, where that is wanted.
    pub(crate) fn heed(&self) -> io::Result<()> {
        if !self.by_signals {
            return Ok(());
        }
        #[cfg(unix)]
        {
            let stop = self.clone();
            let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
            tokio::spawn(async move {
                while terminate.recv().await.is_some() {
                    stop.ask();
                }
            });
        }
        let stop = self.clone();
        tokio::spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() {
                stop.ask();
            }
        });
        Ok(())
    }
}
