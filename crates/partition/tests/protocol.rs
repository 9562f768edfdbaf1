//! The commit protocol under seeded schedules: owners that die, are replaced while they
//! still believe themselves to be owners, lose answers and leave snapshots half written.
//! Whatever happens, what was sent in the end is what one run without any trouble sends:
//! nothing lost, nothing twice, in order; and no replay gives anything else.
//!
//! `TELLTALE_SCHEDULES` sets how many (with a stand-in for the state, so that a million
//! are soon done), `TELLTALE_REAL_SCHEDULES` how many drive the partition itself.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

#[path = "protocol/real.rs"]
mod real;

use telltale_partition::owner::{After, Answer, Owner, OwnerError, State, Transaction};
use telltale_partition::{Health, Output};

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

/// A kind of state under test.
pub trait Kind {
    type State: State;
    type Snapshot: Clone;
    fn records(&self) -> &[<Self::State as State>::Record];
    fn fresh(&self) -> Self::State;
    fn take(&self, state: &Self::State) -> Self::Snapshot;
    fn put(&self, snapshot: &Self::Snapshot) -> Self::State;
}

/// The broker: what was sent, by record, the committed offset, and who may send.
struct Broker {
    sent: Vec<Vec<String>>,
    committed: u64,
    epoch: u64,
}

impl Broker {
    /// A transaction of the owner of an epoch; an older owner is fenced.
    fn commit(&mut self, epoch: u64, transaction: &Transaction) -> bool {
        if epoch != self.epoch {
            return false;
        }
        for (offset, outputs) in &transaction.outputs {
            assert_eq!(*offset, self.sent.len() as u64, "sent in order, once");
            self.sent
                .push(outputs.iter().map(Output::identity).collect());
        }
        assert_eq!(transaction.next_offset, self.sent.len() as u64);
        self.committed = transaction.next_offset;
        true
    }
}

struct Living<S> {
    owner: Owner<S>,
    epoch: u64,
}

/// What happened, so that a test can say that everything does.
#[derive(Debug, Default)]
pub struct Seen {
    crashes: u64,
    zombies: u64,
    fenced: u64,
    aborts: u64,
    lost_done: u64,
    lost_undone: u64,
    snapshots: u64,
    torn: u64,
    muted: u64,
}

/// One schedule. `fault` breaks the protocol on purpose.
fn schedule<K: Kind>(
    kind: &K,
    wanted: &[Vec<String>],
    seed: u64,
    fault: Option<Fault>,
    seen: &mut Seen,
) -> Result<(), String> {
    let mut random = Random(seed);
    let records = kind.records();
    let mut broker = Broker {
        sent: Vec::new(),
        committed: 0,
        epoch: 0,
    };
    // newest complete manifests by epoch: an owner writes under its own only
    let mut store: Vec<(u64, u64, K::Snapshot)> = Vec::new();
    let mut living: Vec<Living<K::State>> = Vec::new();
    let recover = |broker: &mut Broker,
                   store: &[(u64, u64, K::Snapshot)]|
     -> Result<Living<K::State>, OwnerError> {
        broker.epoch += 1;
        // the newest epoch that has one
        let newest = store.iter().max_by_key(|s| (s.0, s.1));
        let state = newest.map_or_else(|| kind.fresh(), |s| kind.put(&s.2));
        let mut committed = broker.committed;
        if fault == Some(Fault::SendsAllAgain) {
            committed = state.due();
        }
        Ok(Living {
            owner: Owner::begin(state, committed)?,
            epoch: broker.epoch,
        })
    };
    for turn in 0..10_000 {
        if broker.committed == records.len() as u64 {
            break;
        }
        // trouble ends at last
        let calm = turn > 60;
        if living.is_empty() {
            living.push(recover(&mut broker, &store).map_err(|e| e.to_string())?);
            continue;
        }
        let at = random.below(living.len() as u64) as usize;
        let what = if calm {
            20 + random.below(60)
        } else {
            random.below(100)
        };
        match what {
            // the owner dies
            0..6 => {
                living.swap_remove(at);
                seen.crashes += 1;
            }
            // another takes over, and the old one does not know
            6..10 => {
                if living.len() < 3 {
                    let next = recover(&mut broker, &store).map_err(|e| e.to_string())?;
                    living.push(next);
                    seen.zombies += 1;
                }
            }
            // a snapshot
            10..20 => {
                let one = &living[at];
                let due = one.owner.state().due();
                if one.owner.may_snapshot() || fault == Some(Fault::SnapshotsTooEarly) {
                    if random.below(4) == 0 {
                        // its parts are written, its manifest is not
                        seen.torn += 1;
                        living.swap_remove(at);
                    } else {
                        store.push((one.epoch, due, kind.take(one.owner.state())));
                        seen.snapshots += 1;
                    }
                }
            }
            // some records
            20..70 => {
                let one = &mut living[at];
                for _ in 0..=random.below(4) {
                    let due = one.owner.state().due() as usize;
                    let Some(record) = records.get(due) else {
                        break;
                    };
                    if one.owner.is_muted() {
                        seen.muted += 1;
                    }
                    let sent = &broker.sent;
                    one.owner
                        .step(due as i64, record, |offset| sent[offset as usize].clone())
                        .map_err(|e| e.to_string())?;
                }
            }
            // a transaction
            _ => {
                let one = &mut living[at];
                let Some(transaction) = one.owner.transaction() else {
                    continue;
                };
                let fate = if calm { 0 } else { random.below(10) };
                let answer = match fate {
                    0..5 => {
                        if broker.commit(one.epoch, &transaction) {
                            Answer::Committed
                        } else {
                            seen.fenced += 1;
                            Answer::Unknown
                        }
                    }
                    5 | 6 => {
                        seen.aborts += 1;
                        Answer::Aborted
                    }
                    7 | 8 => {
                        seen.lost_done += u64::from(broker.commit(one.epoch, &transaction));
                        Answer::Unknown
                    }
                    _ => {
                        seen.lost_undone += 1;
                        Answer::Unknown
                    }
                };
                let answer = match (answer, fault) {
                    (Answer::Unknown, Some(Fault::TakesSilenceForDone)) => Answer::Committed,
                    (answer, _) => answer,
                };
                if one.owner.answered(answer) == After::Recover {
                    living.swap_remove(at);
                }
            }
        }
    }
    if broker.sent == wanted {
        Ok(())
    } else {
        Err(format!(
            "sent {} of {}, or others",
            broker.sent.len(),
            wanted.len()
        ))
    }
}

/// Ways to break the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    SendsAllAgain,
    SnapshotsTooEarly,
    TakesSilenceForDone,
}

fn wanted<K: Kind>(kind: &K) -> Vec<Vec<String>> {
    let mut state = kind.fresh();
    let records = kind.records().iter().enumerate();
    records
        .map(|(n, record)| {
            let mut out = Vec::new();
            state.step(n as u64, n as i64, record, &mut out);
            out.iter().map(Output::identity).collect()
        })
        .collect()
}

fn run<K: Kind>(kind: &K, schedules: u64, first: u64) -> Seen {
    let wanted = wanted(kind);
    let mut seen = Seen::default();
    for seed in first..first + schedules {
        if let Err(why) = schedule(kind, &wanted, seed, None, &mut seen) {
            panic!("seed {seed}: {why}");
        }
    }
    seen
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(default)
}

/// A stand-in: a number that every record changes, so that any record lost, repeated or
/// out of order changes all that comes after it.
struct Chain {
    records: Vec<u64>,
}

#[derive(Clone)]
struct Link {
    due: u64,
    value: u64,
}

impl State for Link {
    type Record = u64;
    fn due(&self) -> u64 {
        self.due
    }
    fn step(&mut self, offset: u64, _: i64, record: &u64, out: &mut Vec<Output>) {
        assert_eq!(offset, self.due);
        self.due += 1;
        self.value = self.value.wrapping_mul(31).wrapping_add(*record);
        if self.value.is_multiple_of(2) {
            out.push(Output::Health(Health {
                code: "TT-RUN-001",
                site: String::new(),
                sentence: self.value.to_string(),
                time_ns: 0,
            }));
        }
    }
}

impl Kind for Chain {
    type State = Link;
    type Snapshot = Link;
    fn records(&self) -> &[u64] {
        &self.records
    }
    fn fresh(&self) -> Link {
        Link { due: 0, value: 1 }
    }
    fn take(&self, state: &Link) -> Link {
        state.clone()
    }
    fn put(&self, snapshot: &Link) -> Link {
        snapshot.clone()
    }
}

#[test]
fn no_schedule_loses_or_repeats() {
    let kind = Chain {
        records: (0..24).map(|n| n * n + 7).collect(),
    };
    let schedules = number("TELLTALE_SCHEDULES", 20_000);
    let first = number("TELLTALE_SEED", 0);
    let seen = run(&kind, schedules, first);
    println!("{schedules} schedules from seed {first}: {seen:?}");
    let all = [
        seen.crashes,
        seen.zombies,
        seen.fenced,
        seen.aborts,
        seen.lost_done,
        seen.lost_undone,
        seen.snapshots,
        seen.torn,
        seen.muted,
    ];
    assert!(all.iter().all(|n| *n > 0), "{seen:?}");
}

#[test]
fn a_broken_protocol_is_found() {
    let kind = Chain {
        records: (0..24).map(|n| n * n + 7).collect(),
    };
    let wanted = wanted(&kind);
    for fault in [
        Fault::SendsAllAgain,
        Fault::SnapshotsTooEarly,
        Fault::TakesSilenceForDone,
    ] {
        let found = (0..500).find(|seed| {
            std::panic::catch_unwind(|| {
                schedule(&kind, &wanted, *seed, Some(fault), &mut Seen::default())
            })
            .map_or(true, |r| r.is_err())
        });
        assert!(found.is_some(), "{fault:?} is not found");
    }
}

#[test]
fn the_partition_itself() {
    let schedules = number("TELLTALE_REAL_SCHEDULES", 60);
    let seen = run(&real::Real::new(), schedules, number("TELLTALE_SEED", 0));
    println!("{schedules} schedules of the partition: {seen:?}");
    assert!(
        seen.muted > 0 && seen.snapshots > 0 && seen.lost_done > 0,
        "{seen:?}"
    );
}
