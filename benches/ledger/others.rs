//! How much of the processors went to somebody else meanwhile, from what Linux tells of every process. A
//! machine that is busy with other things measures those.

use std::{fs, process::id};

/// The processor time that was used up to a moment, in ticks.
pub struct Ticks {
    all: u64,
    idle: u64,
    /// By this program and what it started, and by the PostgreSQL that it measures.
    ours: u64,
}

impl Ticks {
    /// `None` where the system does not tell.
    pub fn now(postmaster: u32) -> Option<Self> {
        let stat = fs::read_to_string("/proc/stat").ok()?;
        let mut machine =
            stat.lines().next()?.split_whitespace().skip(1).map(|number| number.parse().unwrap_or(0));
        // user, nice, system, idle, iowait, irq, softirq, steal; what guests use is in user already.
        let times: [u64; 8] = std::array::from_fn(|_| machine.next().unwrap_or(0));
        let mut ours = Process::read("self")?.with_ended_children();
        for entry in fs::read_dir("/proc").ok()?.flatten() {
            let Ok(name) = entry.file_name().into_string() else { continue };
            // Most end before they are read, or are none.
            let Some(process) = Process::read(&name) else { continue };
            if name.parse() == Ok(postmaster) {
                ours += process.with_ended_children();
            } else if process.parent == u64::from(postmaster) || process.parent == u64::from(id()) {
                ours += process.own;
            }
        }
        Some(Self { all: times.iter().sum(), idle: times[3] + times[4] + times[5] + times[6], ours })
    }

    /// The share of all processors that others have had since `before`.
    pub fn others_since(&self, before: &Self) -> f64 {
        let all = self.all.saturating_sub(before.all).max(1);
        let left = self.idle.saturating_sub(before.idle) + self.ours.saturating_sub(before.ours);
        all.saturating_sub(left) as f64 / all as f64
    }
}

struct Process {
    parent: u64,
    own: u64,
    ended_children: u64,
}

impl Process {
    fn read(name: &str) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{name}/stat")).ok()?;
        // Its name is in parentheses and may hold anything.
        let (_, fields) = stat.rsplit_once(") ")?;
        let fields: Vec<u64> = fields.split(' ').map(|field| field.parse().unwrap_or(0)).collect();
        Some(Self {
            parent: *fields.get(1)?,
            own: fields.get(11)? + fields.get(12)?,
            ended_children: fields.get(13)? + fields.get(14)?,
        })
    }

    fn with_ended_children(&self) -> u64 {
        self.own + self.ended_children
    }
}
