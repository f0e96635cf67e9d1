//! The engine, through `execute`: concurrency, idempotency, and what the database itself refuses.

use chrono::TimeDelta;
use futures_util::future::join_all;
use scrip::{
    domain::{
        AccountId, Act, Amount, Capture, Command, HoldLife, Kind, LotNumber, Refund, Refusal, Release,
        Version, Void, explain::Because,
    },
    problem::Problem,
    server::{
        AppState, Error,
        clock::Clock,
        ledger::{Filter, Ledger, verify::verify},
        store,
    },
};
use sqlx::PgPool;
use uuid::Uuid;

use crate::support::{
    CATALOG, account, amount, command, credits, grant, noon, reason, spend, spending, state,
};

const ALL: usize = 1_000;

/// What must hold of the whole ledger at any time.
async fn check(pool: &PgPool) {
    let report = verify(pool, None, |_, _| {}).await.unwrap();
    assert_eq!(report.violations, 0, "{:?}", report.told);
}

async fn versions(ledger: &Ledger, account: AccountId) -> Vec<i64> {
    let history = ledger.history(account, None, &Filter::default(), ALL).await.unwrap();
    history.entries.iter().rev().map(|entry| entry.version.0).collect()
}

async fn ready(pool: PgPool) -> AppState {
    state(pool, Clock::default(), CATALOG).await
}

#[sqlx::test]
async fn of_sixty_four_parallel_spends_exactly_as_many_succeed_as_there_are_credits(pool: PgPool) {
    let state = ready(pool.clone()).await;
    let account = account(&state, "ada@example.com").await;
    let spends = (0..64).map(|number| {
        let command = spend(&state, account, &format!("spend-{number}"), "render", None);
        let ledger = state.ledger.clone();
        tokio::spawn(async move { ledger.execute(command).await.unwrap() })
    });
    let spends: Vec<_> = spends.collect();
    let (mut spent, mut refused) = (0, 0);
    for answer in spends {
        match answer.await.unwrap() {
            Ok(answer) => {
                assert!(!answer.replayed);
                spent += 1;
            }
            Err(Refusal::Insufficient(shortfall)) => {
                assert_eq!(shortfall.available, credits(0));
                refused += 1;
            }
            Err(refusal) => panic!("{refusal}"),
        }
    }
    assert_eq!((spent, refused), (10, 54));
    let expected: Vec<i64> = (1..=11).collect();
    assert_eq!(versions(&state.ledger, account).await, expected, "the grant and ten spends");
    check(&pool).await;
}

#[sqlx::test]
async fn two_engines_on_one_database_keep_each_other_right(pool: PgPool) {
    let one = ready(pool.clone()).await;
    let other = ready(store::connect((*pool.connect_options()).clone())).await;
    let account = account(&one, "ada@example.com").await;
    let spends = (0..40).map(|number| {
        let state = if number % 2 == 0 { &one } else { &other };
        let command = spend(state, account, &format!("spend-{number}"), "render", None);
        let ledger = state.ledger.clone();
        tokio::spawn(async move { ledger.execute(command).await.unwrap().is_ok() })
    });
    let mut spent = 0;
    for answer in spends.collect::<Vec<_>>() {
        spent += usize::from(answer.await.unwrap());
    }
    assert_eq!(spent, 10);
    check(&pool).await;
}

#[sqlx::test]
async fn one_key_sent_many_times_at_once_spends_once(pool: PgPool) {
    let state = ready(pool.clone()).await;
    let account = account(&state, "ada@example.com").await;
    let tries = (0..32).map(|_| {
        let command = spend(&state, account, "the-same", "render", None);
        let ledger = state.ledger.clone();
        tokio::spawn(async move { ledger.execute(command).await.unwrap().unwrap() })
    });
    let mut first = 0;
    for answer in tries.collect::<Vec<_>>() {
        let answer = answer.await.unwrap();
        assert_eq!(answer.entry.version, Version(2));
        first += usize::from(!answer.replayed);
    }
    assert_eq!(first, 1);
    assert_eq!(versions(&state.ledger, account).await, [1, 2]);
    check(&pool).await;
}

#[sqlx::test]
async fn a_key_used_again_with_other_content_is_refused(pool: PgPool) {
    let state = ready(pool).await;
    let account = account(&state, "ada@example.com").await;
    let first = spend(&state, account, "key", "render", None);
    let other = spend(&state, account, "key", "complete", Some(1));
    assert!(state.ledger.execute(first).await.unwrap().is_ok());
    assert_eq!(state.ledger.execute(other).await.unwrap(), Err(Refusal::KeyReused));
}

#[sqlx::test]
async fn a_batch_answers_each_command_alone(pool: PgPool) {
    let state = ready(pool.clone()).await;
    let first = account(&state, "first@example.com").await;
    let neighbours =
        [first, account(&state, "second@example.com").await, account(&state, "third@example.com").await];
    let mut commands: Vec<Command> = Vec::new();
    for account in &neighbours {
        commands.push(spend(&state, *account, "a", "complete", Some(8_000)));
        commands.push(spend(&state, *account, "b", "complete", Some(40_000)));
        commands.push(spend(&state, *account, "a", "complete", Some(8_000)));
        commands.push(grant(*account, "c", 5, None));
    }
    let nobody = AccountId::from(Uuid::nil());
    commands.push(spend(&state, nobody, "a", "render", None));

    let answers = commands.iter().map(|command| state.ledger.execute(command.clone()));
    let answers: Vec<_> = join_all(answers).await.into_iter().map(Result::unwrap).collect();
    for answers in answers[..commands.len() - 1].chunks(4) {
        assert!(answers[0].as_ref().is_ok_and(|answer| !answer.replayed), "4 of 10");
        assert!(matches!(answers[1], Err(Refusal::Insufficient(_))), "20 of 15 at most");
        assert!(answers[2].as_ref().is_ok_and(|answer| answer.replayed), "the first again");
        assert!(answers[3].is_ok());
    }
    assert_eq!(answers.last().unwrap(), &Err(Refusal::UnknownAccount));
    for account in neighbours {
        let smaller = spend(&state, account, "b", "complete", Some(14_000));
        assert!(state.ledger.execute(smaller).await.unwrap().is_ok(), "7 of 11, under the refused one's key");
        assert_eq!(state.ledger.account(account).await.unwrap().balance(), credits(4));
    }
    check(&pool).await;
}

#[sqlx::test]
async fn what_lapses_is_gone_at_once_and_written_by_the_next_command(pool: PgPool) {
    let clock = Clock::standing_at(noon());
    let state = state(pool.clone(), clock.clone(), CATALOG).await;
    let account = account(&state, "ada@example.com").await;
    let expires_at = noon() + TimeDelta::hours(1);
    state.ledger.execute(grant(account, "bonus", 5, Some(expires_at))).await.unwrap().unwrap();

    clock.set(expires_at + TimeDelta::hours(1));
    let now = clock.now();
    assert_eq!(state.ledger.account(account).await.unwrap().available(now), credits(10));
    let told = state.ledger.history(account, None, &Filter::default(), ALL).await.unwrap().entries;
    assert_eq!((told[0].kind.clone(), told[0].at, told[0].delta()), (Kind::Expiry, expires_at, -5));
    let written = sqlx::query_scalar!("select count(*) from entries").fetch_one(&pool).await.unwrap();
    assert_eq!(written, Some(2), "reading writes nothing");

    let answer = state.ledger.execute(spend(&state, account, "s", "render", None)).await.unwrap().unwrap();
    assert_eq!(answer.entry.version, Version(4));
    let after = state.ledger.history(account, None, &Filter::default(), ALL).await.unwrap().entries;
    assert_eq!(after[1..], told, "what was told is what was written");
    check(&pool).await;
}

#[sqlx::test]
async fn a_clock_that_was_set_back_is_refused_and_nothing_is_written(pool: PgPool) {
    let clock = Clock::standing_at(noon());
    let state = state(pool.clone(), clock.clone(), CATALOG).await;
    let account = account(&state, "ada@example.com").await;
    clock.set(noon() - TimeDelta::minutes(2));
    let answer = state.ledger.execute(spend(&state, account, "s", "render", None)).await.unwrap();
    assert_eq!(answer, Err(Refusal::ClockBehind { last_entry_at: noon() }));
    clock.set(noon() - TimeDelta::seconds(59));
    let answer = state.ledger.execute(spend(&state, account, "s", "render", None)).await.unwrap();
    assert_eq!(answer.unwrap().entry.at, noon());
    check(&pool).await;
}

#[sqlx::test]
async fn history_cannot_be_changed(pool: PgPool) {
    let state = ready(pool.clone()).await;
    account(&state, "ada@example.com").await;
    for statement in [
        "update entries set balance_after = balance_after + 1",
        "update entries set description = 'nothing to see here' where false",
        "delete from entries",
        "truncate entries",
        "truncate accounts cascade",
        "delete from accounts",
        "delete from lots",
        "update ledger_layout set buckets = 16",
    ] {
        let error = sqlx::raw_sql(statement).execute(&pool).await.unwrap_err();
        assert!(error.to_string().contains("are never changed or deleted"), "{statement}: {error}");
    }
}

#[sqlx::test]
async fn the_database_refuses_what_the_law_would_never_write(pool: PgPool) {
    let state = ready(pool.clone()).await;
    account(&state, "ada@example.com").await;
    for (statement, constraint) in [
        ("update lots set remaining = -1", "credits_not_negative"),
        ("update lots set remaining = granted + 1", "lots_within_granted"),
        ("update lots set held = 1", "lots_within_granted"),
        ("update accounts set balance = -1", "credits_not_negative"),
        ("update accounts set debt = -1", "credits_not_negative"),
        (
            "update lots set expires_at = effective_at - interval '1 microsecond'",
            "lots_expire_no_earlier_than_they_start",
        ),
        ("update lots set expires_at = 'infinity'", "moment_kept"),
        ("insert into entries select * from entries", "entries_pkey"),
        (
            "insert into entries (bucket, account_id, version, at, balance_after, kind, movements, link)
             select bucket, account_id, 2, at, 0, 's', '1:-1', 0
             from entries",
            "entries_key_unless_the_law_acted",
        ),
        (
            "insert into entries (bucket, account_id, version, at, balance_after, kind, movements, link, key, fingerprint)
             select bucket, account_id, 2, at, 0, 'z', '1:-1', 0, 7, 7
             from entries",
            "letter_of_kind_known",
        ),
        (
            "insert into entries (bucket, account_id, version, at, balance_after, kind, movements, link, key, fingerprint)
             select bucket, account_id, 2, at, 1, kind, movements, link, key, fingerprint
             from entries",
            "entries_key",
        ),
        ("update users set role = 'owner'", "users_role_known"),
    ] {
        let error = sqlx::raw_sql(statement).execute(&pool).await.unwrap_err();
        let error = error.as_database_error().unwrap();
        assert_eq!(error.constraint(), Some(constraint), "{statement}");
    }
}

#[sqlx::test]
async fn a_balance_that_is_not_the_sum_of_its_lots_is_noticed_before_anything_is_spent(pool: PgPool) {
    let state = ready(pool.clone()).await;
    let account = account(&state, "ada@example.com").await;
    sqlx::raw_sql("update accounts set balance = balance + 1").execute(&pool).await.unwrap();
    let answer = state.ledger.execute(spend(&state, account, "s", "render", None)).await;
    assert!(matches!(answer, Err(Error::Internal(_))), "{answer:?}");
}

#[sqlx::test]
async fn what_was_granted_and_spent_reads_back_as_it_was_decided(pool: PgPool) {
    let state = ready(pool.clone()).await;
    let account = account(&state, "ada@example.com").await;
    let mut decided = Vec::new();
    for command in [
        grant(account, "g", 5, Some(noon() + TimeDelta::days(3_650))),
        spend(&state, account, "s", "complete", Some(12_345)),
    ] {
        decided.push(state.ledger.execute(command).await.unwrap().unwrap().entry);
    }
    decided.reverse();
    let read = state.ledger.history(account, None, &Filter::default(), 2).await.unwrap().entries;
    assert_eq!(read, decided);
}

#[sqlx::test]
async fn an_account_is_known_as_it_stood_at_any_moment(pool: PgPool) {
    let clock = Clock::standing_at(noon());
    let state = state(pool, clock.clone(), CATALOG).await;
    let account = account(&state, "ada@example.com").await;
    let hour = TimeDelta::hours(1);
    state.ledger.execute(grant(account, "soon", 5, Some(noon() + hour * 3))).await.unwrap().unwrap();
    clock.set(noon() + hour);
    state.ledger.execute(spend(&state, account, "s", "render", None)).await.unwrap().unwrap();
    clock.set(noon() + hour * 4);

    for (at, balance) in [
        (noon() - hour, 0),
        (noon(), 15),
        (noon() + hour - TimeDelta::microseconds(1), 15),
        (noon() + hour, 14),
        // Nothing was written since, and yet four of the five have lapsed.
        (noon() + hour * 3, 10),
        (noon() + hour * 1_000, 10),
    ] {
        assert_eq!(state.ledger.as_of(account, at).await.unwrap().balance(), credits(balance), "{at}");
    }
}

#[sqlx::test]
async fn a_charge_is_explained_by_the_lots_as_they_stood_then(pool: PgPool) {
    let clock = Clock::standing_at(noon());
    let state = state(pool, clock.clone(), CATALOG).await;
    let account = account(&state, "ada@example.com").await;
    let tomorrow = noon() + TimeDelta::days(1);
    state.ledger.execute(grant(account, "soon", 2, Some(tomorrow))).await.unwrap().unwrap();
    let spent = spend(&state, account, "s", "complete", Some(6_000));
    let spent = state.ledger.execute(spent).await.unwrap().unwrap().entry;
    state
        .ledger
        .execute(grant(account, "sooner", 2, Some(noon() + TimeDelta::hours(1))))
        .await
        .unwrap()
        .unwrap();
    clock.set(tomorrow);

    let explained = state.ledger.explain(account, spent.version).await.unwrap().unwrap();
    assert_eq!(explained.entry, spent);
    let lots: Vec<_> =
        explained.lots.iter().map(|it| (it.lot.number.0, it.taken.get(), it.because)).collect();
    assert_eq!(lots, [(2, 2, Some(Because::ExpiresEarlier)), (1, 1, None)]);
    let lapsed = state.ledger.explain(account, Version(5)).await.unwrap().unwrap();
    assert_eq!(lapsed.entry.kind, Kind::Expiry, "what fell due is known before it is written");
    assert_eq!(state.ledger.explain(account, Version(6)).await.unwrap(), None);
}

#[sqlx::test]
async fn who_asks_for_an_account_that_is_not_there_is_told_so(pool: PgPool) {
    let state = ready(pool).await;
    let nobody = AccountId::from(Uuid::nil());
    let told = |error: Error| matches!(error, Error::Problem(Problem::UnknownAccount));
    assert!(told(state.ledger.account(nobody).await.unwrap_err()));
    assert!(told(state.ledger.history(nobody, None, &Filter::default(), ALL).await.unwrap_err()));
    assert!(told(state.ledger.as_of(nobody, noon()).await.unwrap_err()));
    assert!(told(state.ledger.explain(nobody, Version(1)).await.unwrap_err()));
}

#[sqlx::test]
async fn a_database_that_may_forget_is_recognised(pool: PgPool) {
    // The tests' own server does not wait for the disk.
    assert_eq!(store::unsafe_settings(&pool).await.unwrap(), ["fsync"]);
    // What it can be asked for, it is asked for, whatever it does for others.
    let name = pool.connect_options().get_database().unwrap().to_owned();
    let lax = format!("alter database \"{name}\" set synchronous_commit = off");
    sqlx::raw_sql(sqlx::AssertSqlSafe(lax)).execute(&pool).await.unwrap();
    let ours = store::connect((*pool.connect_options()).clone());
    let waits = sqlx::query_scalar!("select current_setting('synchronous_commit')").fetch_one(&ours);
    assert_eq!(waits.await.unwrap().as_deref(), Some("on"));
}

#[sqlx::test]
async fn who_waits_too_long_for_an_account_is_told_to_come_back(pool: PgPool) {
    let state = ready(store::connect((*pool.connect_options()).clone())).await;
    let account = account(&state, "ada@example.com").await;
    let mut holder = pool.begin().await.unwrap();
    sqlx::raw_sql("select * from accounts for update").execute(&mut *holder).await.unwrap();
    let waited = state.ledger.execute(spend(&state, account, "s", "render", None)).await;
    assert!(matches!(waited, Err(Error::Problem(Problem::Unavailable))), "{waited:?}");
    holder.rollback().await.unwrap();
    let again = state.ledger.execute(spend(&state, account, "s", "render", None)).await.unwrap();
    assert!(!again.unwrap().replayed);
    check(&pool).await;
}

#[sqlx::test]
async fn each_bad_command_gets_its_own_refusal_and_its_neighbours_are_unharmed(pool: PgPool) {
    let clock = Clock::standing_at(noon());
    let state = state(pool.clone(), clock.clone(), CATALOG).await;
    let id = account(&state, "ada@example.com").await;
    let of = |key: &str, act| command(id, key, act);
    let one = || spending(&state, "render", None);
    let done = async |command| state.ledger.execute(command).await.unwrap().unwrap().entry.version;
    let spent = done(of("spent", Act::Spend(one()))).await;
    let open = done(of("open", Act::Hold(one(), HoldLife::default()))).await;
    let ended = done(of("ended", Act::Hold(one(), HoldLife::default()))).await;
    done(of("release", Act::Release(Release { hold: ended }))).await;

    let refund = |amount| Act::Refund(Refund { spend: spent, amount, grace: None, reason: reason() });
    let capture = |hold, amount| Act::Capture(Capture { hold, amount });
    let huge = amount(Amount::MAX.get());
    let bad = [
        ("spend of more than there is", Act::Spend(spending(&state, "complete", Some(40_000)))),
        ("capture of more than can be covered", capture(open, Some(huge))),
        ("capture after the release", capture(ended, None)),
        ("release after the release", Act::Release(Release { hold: ended })),
        ("capture of what is no hold", capture(spent, None)),
        ("capture of what never was", capture(Version(99), None)),
        ("refund above the spend", refund(Some(amount(2)))),
        (
            "refund of a hold",
            Act::Refund(Refund { spend: open, amount: None, grace: None, reason: reason() }),
        ),
        ("void of a held lot", Act::Void(Void { lot: LotNumber(1), reason: reason() })),
        ("void of no lot", Act::Void(Void { lot: LotNumber(99), reason: reason() })),
    ];
    let names = bad.each_ref().map(|(name, _)| *name);
    let mut commands: Vec<Command> = Vec::new();
    for (number, (name, act)) in bad.into_iter().enumerate() {
        commands.push(of(&name.replace(' ', "-"), act));
        // A neighbour each, alternately a grant and a spend of the same.
        let key = format!("neighbour-{number}");
        commands.push(match number % 2 {
            0 => grant(id, &key, 1, None),
            _ => spend(&state, id, &key, "render", None),
        });
    }
    commands.push(of("spent", refund(None)));
    commands.push(spend(&state, AccountId::from(Uuid::nil()), "nobody", "render", None));

    let before = state.ledger.account(id).await.unwrap();
    let answers = join_all(commands.into_iter().map(|command| state.ledger.execute(command))).await;
    let mut answers = answers.into_iter().map(Result::unwrap);
    let mut refusals = Vec::new();
    for name in names {
        refusals.push(answers.next().unwrap().expect_err(name));
        assert!(answers.next().unwrap().is_ok(), "the neighbour of a {name}");
    }
    refusals.extend(answers.map(|answer| answer.expect_err("a key reused, nobody")));

    let told: Vec<String> = refusals
        .iter()
        .map(|refusal| format!("{refusal:?}").split([' ', '(', '{']).next().unwrap().to_owned())
        .collect();
    assert_eq!(
        told,
        [
            "Insufficient",
            "Insufficient",
            "HoldClosed",
            "HoldClosed",
            "UnknownHold",
            "UnknownHold",
            "RefundTooLarge",
            "UnknownSpend",
            "LotHeld",
            "UnknownLot",
            "KeyReused",
            "UnknownAccount",
        ]
    );
    let after = state.ledger.account(id).await.unwrap();
    assert_eq!(after.version().0, before.version().0 + 10, "the neighbours alone left a trace");
    assert_eq!((after.balance(), after.held()), (before.balance(), before.held()));

    clock.set(noon() - TimeDelta::minutes(2));
    let late = state.ledger.execute(spend(&state, id, "late", "render", None)).await.unwrap();
    assert_eq!(late, Err(Refusal::ClockBehind { last_entry_at: noon() }));
    check(&pool).await;
}
