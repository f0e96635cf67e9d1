//! All acts at once, on few accounts, through two engines on one database, while what falls due is settled
//! beside them.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use scrip::server::jobs::settle_all;
use tokio::task::JoinSet;

use crate::{
    books::assert_sound,
    bounds::bounds,
    crowd::{Crowd, ORDERLY, UNRULY, all_of},
    place::{Place, breathe, open_accounts, open_neighbours},
};

const CALLERS: usize = 48;
const COMMANDS: usize = 40;
const ACCOUNTS: usize = 24;
const HOT: usize = 4;

/// So many that a lane decides ahead of what it writes (`AHEAD_MIN` of the engine).
const THRONG: usize = 400;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crowd_on_few_accounts_through_two_engines_is_served_one_after_the_other() {
    let mut rng = bounds().rng(1);
    for _ in 0..bounds().scaled(1) {
        let place = Place::new().await;
        let engines = vec![place.engine().await, place.engine().await];
        let accounts = open_accounts(&engines[0], &place.pool, ACCOUNTS).await;
        let crowd = Crowd::new(engines, accounts, HOT, UNRULY);
        let callers = crowd.callers(CALLERS, COMMANDS, &mut rng).await;
        serve(place, &crowd, callers).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_throng_on_one_lane_is_served_one_after_the_other() {
    let mut rng = bounds().rng(7);
    for _ in 0..bounds().scaled(1) {
        let place = Place::new().await;
        let engines = vec![place.engine().await, place.engine().await];
        let accounts = open_neighbours(&engines[0], &place.pool, ACCOUNTS).await;
        let crowd = Crowd::new(engines, accounts, HOT, ORDERLY);
        let callers = crowd.callers(THRONG, COMMANDS / 4, &mut rng).await;
        serve(place, &crowd, callers).await;
    }
}

/// Lets the callers finish while what falls due is settled aside, and checks what it came to.
async fn serve(place: Place, crowd: &Arc<Crowd>, callers: JoinSet<()>) {
    let engines = &crowd.engines;
    let done = Arc::new(AtomicBool::new(false));
    let (sweeper, stop) = (engines[1].clone(), Arc::clone(&done));
    let sweep = tokio::spawn(async move {
        let mut settled = 0;
        while !stop.load(Ordering::Relaxed) {
            settled += settle_all(&sweeper).await.unwrap();
            breathe(20_000).await;
        }
        settled
    });
    all_of(callers).await;
    done.store(true, Ordering::Relaxed);
    let settled = sweep.await.unwrap();

    let (asked, carried_out) = crowd.books.count();
    eprintln!("{carried_out} of {asked} commands were carried out, {settled} accounts settled aside");
    assert!(carried_out > asked / 3, "the crowd does something");
    crowd.books.check(&engines[0], &place.pool, false).await;
    crowd.books.ask_all_again(&engines[1]).await;
    crowd.books.check(&engines[1], &place.pool, false).await;
    assert_sound(&place.pool).await;
    for engine in engines {
        engine.stop().await;
    }
    place.remove().await;
}
