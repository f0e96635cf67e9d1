//! On what it was measured. Nothing here says whose machine it is.

use std::{fs, thread};

use scrip::server::clock::Clock;

use crate::{cluster::Cluster, yardsticks::Yardsticks};

pub struct Machine {
    /// What is said of it, and what that is.
    pub facts: Vec<(&'static str, String)>,
    pub settings: Vec<(String, String)>,
}

impl Machine {
    pub async fn look(cluster: &Cluster, yardsticks: &Yardsticks) -> Self {
        let pgbench = yardsticks.pgbench_version().unwrap_or("not found");
        let facts = vec![
            ("Date", Clock::default().now().format("%Y-%m-%d").to_string()),
            ("Processor", field("/proc/cpuinfo", "model name").unwrap_or_else(unknown)),
            ("Cores", thread::available_parallelism().map_or_else(|_| unknown(), |cores| cores.to_string())),
            ("Memory", memory().unwrap_or_else(unknown)),
            ("Kernel", fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_else(|_| unknown())),
            ("File system", cluster.file_system()),
            ("PostgreSQL", cluster.version().await),
            ("pgbench", pgbench.to_owned()),
        ];
        Self { facts, settings: cluster.settings().await }
    }
}

fn memory() -> Option<String> {
    let kilobytes: f64 = field("/proc/meminfo", "MemTotal")?.strip_suffix(" kB")?.parse().ok()?;
    Some(format!("{:.1} GiB", kilobytes / f64::from(1 << 20)))
}

/// The value behind `name:` in a file of such lines.
fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let (_, value) =
        text.lines().filter_map(|line| line.split_once(':')).find(|(key, _)| key.trim() == name)?;
    Some(value.trim().to_owned())
}

fn unknown() -> String {
    "unknown".to_owned()
}
