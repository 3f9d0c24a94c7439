//! Stands for the membership protocol: what each machine's list says of each other machine, and
//! when. It owns the lists and the incarnations.
//!
//! A crash, a stop or a cut is in each list 1.4 to 1.75 s later. Who was failed and is reached
//! again comes with a new incarnation, as in PROTOCOL.md of the membership protocol: after a cut
//! the larger part keeps its incarnations.

use rand::RngExt;
use rand::rngs::SmallRng;
use std::time::Duration;

/// What a list says of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Up,
    Failed,
    Left,
}

/// A machine in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    pub incarnation: u64,
    pub standing: Standing,
}

/// What the oracle plans.
#[derive(Debug, Clone, Copy)]
pub enum News {
    /// An observer's time for a machine that it does not reach is over.
    Judge { observer: usize, target: usize, number: u32 },
    /// A machine sees who of its part of the network has which list.
    Settle { machine: usize },
    /// An observer hears of a machine.
    Learn { observer: usize, target: usize, entry: Entry },
}

/// The lists.
#[derive(Clone)]
pub struct Ring {
    /// By observer and target.
    lists: Vec<Vec<Option<Entry>>>,
    incarnations: Vec<u64>,
    last: u64,
    reached: Vec<Vec<bool>>,
    /// By observer and target: grows whenever one reaches the other or no longer does.
    numbers: Vec<Vec<u32>>,
    /// By observer and target: the number for which a failure is planned.
    judged: Vec<Vec<u32>>,
    /// By machine: whether it is about to compare its list with those of others.
    settling: Vec<bool>,
    /// The times between which a failure is noticed.
    pub noticed: (Duration, Duration),
    pub spread: Duration,
}

impl Ring {
    /// The lists of machines of which the first `members` have been a group for a while.
    pub fn new(size: usize, members: usize) -> Self {
        let entry = |i: usize| Entry { incarnation: i as u64 + 1, standing: Standing::Up };
        let row = |observer: usize| {
            let known = |i: &usize| *i < members && observer < members;
            (0..size).map(|i| Some(i).filter(known).map(entry)).collect()
        };
        Ring {
            lists: (0..size).map(row).collect(),
            incarnations: (1..=size as u64).collect(),
            last: size as u64,
            reached: (0..size)
                .map(|i| (0..size).map(|j| i < members && j < members).collect())
                .collect(),
            numbers: vec![vec![0; size]; size],
            judged: vec![vec![0; size]; size],
            settling: vec![false; size],
            noticed: (Duration::from_millis(1_400), Duration::from_millis(1_750)),
            spread: Duration::from_millis(60),
        }
    }

    pub fn list(&self, observer: usize) -> &[Option<Entry>] {
        &self.lists[observer]
    }

    pub fn incarnation(&self, i: usize) -> u64 {
        self.incarnations[i]
    }

    pub fn is_up(&self, observer: usize, target: usize) -> bool {
        self.lists[observer][target].is_some_and(|entry| entry.standing == Standing::Up)
    }

    /// A machine begins a new stay: its list is itself alone.
    pub fn begin(&mut self, i: usize) {
        self.last += 1;
        self.incarnations[i] = self.last;
        self.lists[i].fill(None);
        self.lists[i][i] = Some(self.present(i));
        // It has to reach everybody anew.
        self.reached[i].fill(false);
        for row in &mut self.reached {
            row[i] = false;
        }
    }

    fn present(&self, i: usize) -> Entry {
        Entry { incarnation: self.incarnations[i], standing: Standing::Up }
    }

    /// A machine leaves: it tells whom it reaches.
    pub fn leave(&mut self, i: usize, rng: &mut SmallRng) -> Vec<(Duration, News)> {
        let entry = Entry { standing: Standing::Left, ..self.present(i) };
        self.lists[i][i] = Some(entry);
        self.tell(i, entry, rng)
    }

    fn tell(&self, target: usize, entry: Entry, rng: &mut SmallRng) -> Vec<(Duration, News)> {
        let hearers = (0..self.lists.len()).filter(|i| self.reached[*i][target] && *i != target);
        let news = hearers.map(|observer| News::Learn { observer, target, entry });
        news.map(|news| (self.spread.mul_f64(rng.random::<f64>()), news)).collect()
    }

    /// Who reaches whom has changed: `part` is the part of the network of each machine that runs.
    pub fn look(&mut self, part: &[Option<usize>], rng: &mut SmallRng) -> Vec<(Duration, News)> {
        let size = self.lists.len();
        let mut plans = Vec::new();
        let (first, last) = self.noticed;
        for target in 0..size {
            let noticed = first + (last - first - self.spread / 2).mul_f64(rng.random::<f64>());
            for observer in (0..size).filter(|observer| *observer != target) {
                let is = part[observer].is_some() && part[observer] == part[target];
                let was = std::mem::replace(&mut self.reached[observer][target], is);
                if was != is {
                    self.numbers[observer][target] += 1;
                }
                let number = self.numbers[observer][target];
                if is && !was && !std::mem::replace(&mut self.settling[observer], true) {
                    let wait = Duration::from_millis(20).mul_f64(1.0 + 20.0 * rng.random::<f64>());
                    plans.push((wait, News::Settle { machine: observer }));
                }
                if part[observer].is_none() {
                    // Who does not run judges nobody, now or when it wakes.
                    self.numbers[observer][target] += 1;
                } else if !is
                    && self.is_up(observer, target)
                    && self.judged[observer][target] != number
                {
                    self.judged[observer][target] = number;
                    let wait = noticed + (self.spread / 2).mul_f64(rng.random::<f64>());
                    plans.push((wait, News::Judge { observer, target, number }));
                }
            }
        }
        plans
    }

    /// Carries out what was planned. Returns whose list changed, and what follows.
    pub fn carry_out(
        &mut self,
        news: News,
        rng: &mut SmallRng,
    ) -> (Option<usize>, Vec<(Duration, News)>) {
        match news {
            News::Judge { observer, target, number } => {
                if self.numbers[observer][target] != number {
                    return (None, Vec::new());
                }
                let entry = &mut self.lists[observer][target];
                let Some(known) = entry.as_mut().filter(|known| known.standing == Standing::Up)
                else {
                    return (None, Vec::new());
                };
                known.standing = Standing::Failed;
                (Some(observer), Vec::new())
            }
            News::Learn { observer, target, entry } => {
                let reached = self.reached[observer][target] || entry.standing != Standing::Up;
                let heard = reached && self.merge(observer, target, entry);
                (heard.then_some(observer), Vec::new())
            }
            News::Settle { machine } => self.settle(machine, rng),
        }
    }

    /// Takes an entry over unless it is older than what is known. Returns whether it was news.
    fn merge(&mut self, observer: usize, target: usize, entry: Entry) -> bool {
        let known = self.lists[observer][target];
        if known == Some(entry) || known.is_some_and(|known| known.incarnation > entry.incarnation)
        {
            return false;
        }
        let left = known.is_some_and(|known| {
            known.incarnation == entry.incarnation && known.standing == Standing::Left
        });
        let own = observer == target;
        if left {
            return false;
        }
        if !own && entry.incarnation == self.incarnations[target] {
            self.lists[observer][target] = Some(entry);
        }
        !own
    }

    /// A machine compares its list with those of its part of the network. It begins a new
    /// incarnation if most of them hold it for failed, and takes over who is up.
    fn settle(
        &mut self,
        machine: usize,
        rng: &mut SmallRng,
    ) -> (Option<usize>, Vec<(Duration, News)>) {
        self.settling[machine] = false;
        if self.lists[machine][machine].is_some_and(|own| own.standing == Standing::Left) {
            return (None, Vec::new());
        }
        let part: Vec<usize> = (0..self.lists.len())
            .filter(|i| *i == machine || self.reached[*i][machine] && self.reached[machine][*i])
            .collect();
        let supported = |target: usize| {
            let holds = |i: &usize| self.lists[*i][target] == Some(self.present(target));
            let knows = |i: &usize| self.lists[*i][target].is_some();
            let knowing = part.iter().filter(|i| knows(i)).count();
            part.iter().filter(|i| holds(i)).count() * 2 > knowing
        };
        let mut plans = Vec::new();
        if supported(machine) {
            for target in part.iter().copied().filter(|target| supported(*target)) {
                let entry = self.present(target);
                let wait = self.spread.mul_f64(rng.random::<f64>());
                plans.push((wait, News::Learn { observer: machine, target, entry }));
            }
            for target in (0..self.lists.len()).filter(|target| !part.contains(target)) {
                let mut gone = part.iter().filter_map(|i| self.lists[*i][target]);
                if let Some(entry) = gone.find(|entry| entry.standing != Standing::Up) {
                    let wait = self.spread.mul_f64(rng.random::<f64>());
                    plans.push((wait, News::Learn { observer: machine, target, entry }));
                }
            }
            plans.extend(self.tell(machine, self.present(machine), rng));
            return (None, plans);
        }
        self.last += 1;
        self.incarnations[machine] = self.last;
        let own = self.present(machine);
        self.lists[machine][machine] = Some(own);
        plans.extend(self.tell(machine, own, rng));
        self.settling[machine] = true;
        plans.push((self.spread, News::Settle { machine }));
        (Some(machine), plans)
    }
}
