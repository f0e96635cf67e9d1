//! What the program does when it is sent a signal.
//!
//! Ctrl-C and SIGTERM stop it. So does SIGHUP where it comes from a terminal that is closed. A server that has no terminal
//! for its input, such as one that systemd or a container started, takes SIGHUP as daemons do: it reads its catalog
//! again.

use std::io::{self, IsTerminal};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

pub struct Signals {
    /// True once the program is asked to stop.
    pub stop: watch::Receiver<bool>,
    /// Asks for the catalog to be read again. `None` where SIGHUP stops the program.
    pub reload: Option<Signal>,
}

impl Signals {
    /// From now on; before, each of them ends the program at once.
    pub fn catch(is_server: bool) -> io::Result<Self> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        let reloads = is_server && !io::stdin().is_terminal();
        let reload = reloads.then(|| signal(SignalKind::hangup())).transpose()?;
        let (ask_to_stop, stop) = watch::channel(false);
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hang_up.recv(), if !reloads => {}
            }
            ask_to_stop.send_replace(true);
        });
        Ok(Self { stop, reload })
    }
}
