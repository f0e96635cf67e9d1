//! The program whose HTTP API is measured, as it is run: a process of its own, with its own memory.

use std::{fs, net::SocketAddr, process::Stdio};

use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

use crate::webhooks::SECRET;

/// What is said beside the answers; the document names it.
pub const LOG: &str = "warn";

pub struct Server {
    process: Child,
    pub address: SocketAddr,
    /// Kept open: it may have something to say.
    _said: Lines<BufReader<ChildStdout>>,
}

impl Server {
    pub async fn start(database_url: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_scrip"));
        command
            .arg("serve")
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("DATABASE_URL", database_url)
            .env("LEPTOS_SITE_ADDR", "127.0.0.1:0")
            .env("RUST_LOG", LOG)
            .env("STRIPE_WEBHOOK_SECRET", SECRET)
            .env_remove("STRIPE_SECRET_KEY")
            .env_remove("SCRIP_BASE_URL")
            .env_remove("SCRIP_CATALOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut process = command.spawn().expect("the program starts");
        let mut said = BufReader::new(process.stdout.take().expect("what it says")).lines();
        let address = loop {
            let line = said.next_line().await.expect("what it says").expect("it says where it serves");
            if let Some(address) = line.strip_prefix("Scrip serves on http://") {
                break address.parse().expect("an address");
            }
        };
        Self { process, address, _said: said }
    }

    /// From now on, the most memory that it has is counted anew. Where the system does not do that, it is the most
    /// that it ever had.
    pub fn forget_peak(&self) {
        let _ = fs::write(format!("/proc/{}/clear_refs", self.id()), "5");
    }

    /// The most that it has had in memory.
    pub fn peak_kb(&self) -> Option<u64> {
        peak_kb(&self.id().to_string())
    }

    fn id(&self) -> u32 {
        self.process.id().expect("it runs until it is stopped")
    }
}

/// The most that a process has had in memory.
pub fn peak_kb(process: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok())
}
