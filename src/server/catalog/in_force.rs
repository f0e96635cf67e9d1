//! The catalog that is in force: the one that was read at the start, until its file is read again and is good.

use std::{
    path::Path,
    sync::{Arc, PoisonError, RwLock},
};

use tokio::signal::unix::Signal;

use super::load;
use crate::domain::Catalog;

/// Shared by all who read it. Whoever answers a request takes what it needs from one reading, so that
/// prices and limits are of one file.
#[derive(Clone)]
pub struct InForce(Arc<RwLock<Arc<Catalog>>>);

impl InForce {
    pub fn new(catalog: Catalog) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(catalog))))
    }

    pub fn get(&self) -> Arc<Catalog> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on this one is in force. Returns the one that was.
    pub fn take_up(&self, catalog: Catalog) -> Arc<Catalog> {
        let mut in_force = self.0.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *in_force, Arc::new(catalog))
    }
}

/// Reads the file again whenever it is asked to. A bad one is refused as a whole, and what is in force stays.
pub async fn take_up_when_asked(in_force: InForce, file: &Path, mut asked: Signal) {
    while asked.recv().await.is_some() {
        match load(file) {
            Ok(catalog) => {
                let summary = summary(&catalog);
                let before = in_force.take_up(catalog);
                let changes = changes(&before, &in_force.get());
                tracing::info!(file = %file.display(), %summary, %changes, "the catalog was read again");
            }
            Err(error) => tracing::error!("the catalog stays as it was: {error}"),
        }
    }
}

/// How much it offers: `6 actions, 3 plans, 2 packs`.
pub fn summary(catalog: &Catalog) -> String {
    let count = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let Catalog { actions, plans, packs, .. } = catalog;
    [count(actions.len(), "action"), count(plans.len(), "plan"), count(packs.len(), "pack")].join(", ")
}

/// What is new, gone and different: `added action upscale; changed plan pro`.
fn changes(before: &Catalog, after: &Catalog) -> String {
    let changes = [
        compared("action", &before.actions, &after.actions, |action| action.key.as_str()),
        compared("plan", &before.plans, &after.plans, |plan| plan.key.as_str()),
        compared("pack", &before.packs, &after.packs, |pack| pack.key.as_str()),
    ]
    .concat();
    let offers_alike = changes.is_empty();
    match before == after {
        true => "none".to_owned(),
        false if offers_alike => "settings or order".to_owned(),
        false => changes.join("; "),
    }
}

fn compared<T: PartialEq>(what: &str, before: &[T], after: &[T], key: impl Fn(&T) -> &str) -> Vec<String> {
    let among = |all: &[T], one: &T| all.iter().position(|other| key(other) == key(one));
    let told = |how: &str, one: &T| format!("{how} {what} {}", key(one));
    let of_now = after.iter().filter_map(|now| match among(before, now) {
        None => Some(told("added", now)),
        Some(place) => (before[place] != *now).then(|| told("changed", now)),
    });
    let gone = before.iter().filter(|gone| among(after, gone).is_none()).map(|gone| told("removed", gone));
    of_now.chain(gone).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::catalog::{
        parse,
        testing::{ACTION, HEAD, PACK, PLAN},
    };

    fn catalog(parts: &[&str]) -> Catalog {
        parse(&parts.concat()).unwrap()
    }

    #[test]
    fn a_summary_counts_what_is_offered() {
        assert_eq!(summary(&catalog(&[HEAD, ACTION])), "1 action, 0 plans, 0 packs");
        let two = ACTION.replace("render", "paint");
        assert_eq!(summary(&catalog(&[HEAD, ACTION, &two, PLAN, PACK])), "2 actions, 1 plan, 1 pack");
    }

    #[test]
    fn changes_name_what_is_new_gone_and_different() {
        let before = catalog(&[HEAD, ACTION, PLAN, PACK]);
        assert_eq!(changes(&before, &before), "none");
        let renamed = ACTION.replace("render", "paint");
        let dearer = PLAN.replace("12.00", "15.00");
        assert_eq!(
            changes(&before, &catalog(&[HEAD, &renamed, &dearer])),
            "added action paint; removed action render; changed plan pro; removed pack pack_100"
        );
        let named = HEAD.replace("Rooms", "Houses");
        assert_eq!(changes(&before, &catalog(&[&named, ACTION, PLAN, PACK])), "settings or order");
    }

    #[test]
    fn who_has_the_old_catalog_keeps_it_when_another_is_taken_up() {
        let in_force = InForce::new(catalog(&[HEAD, ACTION]));
        let read = in_force.get();
        in_force.take_up(catalog(&[HEAD, &ACTION.replace("render", "paint")]));
        assert!(read.action("render").is_some());
        assert!(in_force.get().action("render").is_none());
    }
}
