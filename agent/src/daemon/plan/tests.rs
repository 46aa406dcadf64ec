//! Tables of single situations, and a day's soak against a model that looks at every second and searches minute by minute.

use jiff::Timestamp;

use super::*;

const ZONE: &str = "CET-1CEST,M3.5.0,M10.5.0/3";
/// 2026-11-22T00:00:00 in the zone.
const MIDNIGHT: i64 = 1_795_302_000;

fn zone() -> TimeZone {
    TimeZone::posix(ZONE).unwrap()
}

fn job(name: &'static str, pace: Pace, jitter_s: u64) -> Job {
    Job { name, pace, jitter_s, deadline_s: 600, is_loud: false }
}

fn daily(jitter_s: u64) -> Job {
    job("daily", Pace::Cron("0 4 * * *".parse().unwrap()), jitter_s)
}

/// A world: the true time is what `boot` counts, the wall clock is off by `offset_s`.
struct World {
    true_s: i64,
    offset_s: i64,
    boot_at_s: i64,
}

impl World {
    fn now(&self) -> Now {
        let wall_s = MIDNIGHT + self.true_s + self.offset_s;
        let plausible = wall_s > 1_700_000_000;
        Now { wall_s, boot_s: u64::try_from(self.true_s - self.boot_at_s).unwrap(), plausible }
    }
}

/// `+N` lets N hours pass, `jN` sets the clock N hours off from where it stands, `r` restarts the program, `b` boots,
/// `d` is a clock that says 1970 (until the next `j`); at each quarter of an hour what is due runs. The runs, in hours
/// of true time.
fn check(job: &Job, story: &str, expected: &[f64]) {
    let mut world = World { true_s: 0, offset_s: 0, boot_at_s: -100 };
    let mut boot = 0;
    let mut plan = Plan::new(vec![job.clone()], BTreeMap::new(), zone(), "boot 0", world.now());
    let mut runs = Vec::new();
    for step in story.split(' ') {
        let number: i64 = step.get(1..).and_then(|n| n.parse().ok()).unwrap_or_default();
        match step.as_bytes().first().unwrap() {
            b'+' => {
                for _ in 0..number * 4 {
                    if let Some(job) = plan.due(world.now(), false) {
                        plan.started(&job, world.now());
                        plan.finished(&job, world.now(), true, String::new());
                        #[allow(clippy::cast_precision_loss)]
                        runs.push(world.true_s as f64 / 3600.0);
                    }
                    world.true_s += 900;
                }
            }
            b'j' => world.offset_s += number * 3600,
            b'd' => world.offset_s = -MIDNIGHT,
            b's' => world.offset_s = 0,
            b'o' => world.true_s += number * 3600,
            _ => {
                boot += i32::from(step == "b");
                if step == "b" {
                    world.boot_at_s = world.true_s - 60;
                }
                let past = plan.past().clone();
                plan = Plan::new(vec![job.clone()], past, zone(), &format!("boot {boot}"), world.now());
            }
        }
    }
    assert_eq!(runs, expected, "{story}");
}

#[test]
fn a_daily_job() {
    check(&daily(0), "+30", &[4.0, 28.0]);
    check(&daily(1800), "+30", &[4.5, 28.5]);
    // Restarted, booted: no second run, none missed.
    check(&daily(0), "+5 r +5 b +20", &[4.0, 28.0]);
    // Off over one time, and over many: caught up once. Nine hours late covers nothing of the next morning's.
    check(&daily(0), "+1 o5 b +30", &[6.0, 28.0]);
    check(&daily(0), "+1 o100 b +10", &[101.0]);
    // Caught up shortly before its time: that was it.
    check(&daily(0), "+5 o46 b +24", &[4.0, 51.0]);
    // Set ahead over a time: caught up. Set back over one: not again.
    check(&daily(0), "+1 j5 +30", &[1.0, 23.0]);
    check(&daily(0), "+5 j-3 +30", &[4.0, 31.0]);
    // Set back by a day: it was run too early by so much, and the right day's is run.
    check(&daily(0), "+5 j-20 +24", &[4.0, 24.0]);
    // A clock that was far ahead for a while does not stop it for years.
    check(&daily(0), "+1 j87600 +1 j-87600 +40", &[1.0, 28.0]);
    // A dead clock: a day after the last run, then by the calendar again.
    check(&daily(0), "+5 d +30 s +20", &[4.0, 28.0, 52.0]);
    check(&daily(0), "+5 o3 d b +2 s +20", &[4.0, 28.0]);
}

#[test]
fn a_job_by_an_interval() {
    let hourly = job("hourly", Pace::Every(3600), 900);
    check(&hourly, "+4", &[0.25, 1.25, 2.25, 3.25]);
    check(&hourly, "+2 j-20 +2 j50 +1", &[0.25, 1.25, 2.25, 3.25, 4.25]);
    check(&hourly, "+1 r +2", &[0.25, 1.25, 2.25]);
    check(&hourly, "+1 o5 b +2", &[0.25, 6.0, 7.0]);
}

#[test]
fn failures_wait_longer_and_longer() {
    let mut world = World { true_s: 0, offset_s: 0, boot_at_s: 0 };
    let job = job("x", Pace::Every(60), 0);
    let mut plan = Plan::new(vec![job.clone()], BTreeMap::new(), zone(), "b", world.now());
    let mut starts = Vec::new();
    while starts.len() < 8 {
        if let Some(job) = plan.due(world.now(), false) {
            starts.push(world.true_s);
            plan.started(&job, world.now());
            plan.finished(&job, world.now(), starts.len() == 7, String::new());
        }
        world.true_s += i64::try_from(plan.sleep_s(world.now())).unwrap();
    }
    assert_eq!(starts, [0, 10, 30, 70, 150, 3750, 7350, 7410]);
    assert!(!plan.past()["x"].in_crash_loop, "a run that ended well ends the loop");
}

#[test]
fn the_data_volume_is_touched_when_drives_are_awake() {
    let mut world = World { true_s: 0, offset_s: 0, boot_at_s: 0 };
    let keep = job("keep", Pace::WhenAwake(3600), 0);
    let mut plan = Plan::new(vec![keep.clone()], BTreeMap::new(), zone(), "b", world.now());
    let mut starts = Vec::new();
    while world.true_s < 20_000 {
        if [500, 600, 9000].contains(&world.true_s) {
            plan.drives_are_awake(world.now());
        }
        if let Some(job) = plan.due(world.now(), false) {
            starts.push(world.true_s);
            plan.started(&job, world.now());
            plan.finished(&job, world.now(), true, String::new());
        }
        world.true_s += 100;
    }
    assert_eq!(starts, [500, 4100, 9000]);
}

#[test]
fn a_job_may_ask_to_be_run_again() {
    fn check(pace: Pace, asks_s: u64, expected: &[i64]) {
        let mut world = World { true_s: 0, offset_s: 0, boot_at_s: 0 };
        let job = job("x", pace, 0);
        let mut plan = Plan::new(vec![job], BTreeMap::new(), zone(), "b", world.now());
        plan.drives_are_awake(world.now());
        let mut starts = Vec::new();
        while world.true_s < 50_000 {
            if let Some(job) = plan.due(world.now(), false) {
                starts.push(world.true_s);
                plan.started(&job, world.now());
                plan.finished(&job, world.now(), true, String::new());
                if starts.len() == 1 {
                    plan.again_after(&job, world.now(), asks_s);
                }
            }
            world.true_s += i64::try_from(plan.sleep_s(world.now())).unwrap();
        }
        assert_eq!(starts, expected);
    }
    check(Pace::Every(20_000), 60, &[0, 60, 20_060, 40_060]);
    check(Pace::Every(20_000), 0, &[0, 10, 20_010, 40_010]);
    check(Pace::Every(20_000), u64::MAX, &[0, 21_600, 41_600]);
    check(Pace::WhenAwake(900), 100, &[0, 100]);
}

#[test]
fn loud_jobs_wait_for_the_end_of_quiet_hours() {
    let world = World { true_s: 0, offset_s: 0, boot_at_s: 0 };
    let loud = Job { is_loud: true, ..job("drain", Pace::Every(60), 0) };
    let mut plan = Plan::new(vec![loud], BTreeMap::new(), zone(), "b", world.now());
    assert!(plan.due(world.now(), true).is_none());
    assert_eq!(plan.sleep_s(world.now()), LONGEST_SLEEP_S, "no spin");
    assert!(plan.due(world.now(), false).is_some());
}

/// The slow model of one job: every second, by searching minute after minute.
struct Slow {
    pace: SlowPace,
    jitter_s: i64,
    done: Option<i64>,
    started: Option<(i64, i64, u32)>,
    retry: Option<i64>,
    failed: Vec<i64>,
    in_a_row: u32,
    loops: bool,
    seen: (i64, i64, Option<i64>),
}

enum SlowPace {
    /// Minute and hours.
    Clock(i8, &'static [i8]),
    Every(i64),
}

impl Slow {
    fn new(pace: SlowPace, jitter_s: i64) -> Self {
        let seen = (0, 0, None);
        Self {
            pace,
            jitter_s,
            done: None,
            started: None,
            retry: None,
            failed: Vec::new(),
            in_a_row: 0,
            loops: false,
            seen,
        }
    }

    fn is_slot(&self, unix_s: i64) -> bool {
        let SlowPace::Clock(minute, hours) = self.pace else { return false };
        let civil = |at: i64| Timestamp::from_second(at).unwrap().to_zoned(zone()).datetime();
        let here = civil(unix_s);
        unix_s % 60 == 0
            && here.minute() == minute
            && hours.contains(&here.hour())
            && civil(unix_s - 3600) != here
    }

    /// The last slot in `(done, until]`; what was searched before is not searched again.
    fn slot(&mut self, done: i64, until: i64) -> Option<i64> {
        let (from, to, found) = self.seen;
        let goes_on = from == done && to <= until;
        let (start, mut last) = if goes_on { (to, found) } else { (done, None) };
        let mut minute = (start + 60).div_euclid(60) * 60;
        while minute <= until {
            if self.is_slot(minute) {
                last = Some(minute);
            }
            minute += 60;
        }
        self.seen = (done, until, last);
        last
    }

    fn is_due(&mut self, world: &World, boot: u32, begun_true_s: i64) -> bool {
        let wall = world.now().wall_s;
        let elapsed = self.started.map(|(at_true, at_wall, of_boot)| match of_boot == boot {
            true => world.true_s - at_true,
            false => (wall - at_wall).abs(),
        });
        let until = wall - self.jitter_s;
        if let SlowPace::Clock(..) = self.pace {
            let done = self.done.unwrap_or(until).min(until);
            self.done = Some(done);
            if self.retry.is_none()
                && let Some(slot) = self.slot(done, until)
            {
                let mut before = slot - 60;
                while !self.is_slot(before) {
                    before -= 60;
                }
                if elapsed.is_none_or(|elapsed| elapsed >= (slot - before) / 2) {
                    return true;
                }
                self.done = Some(until);
            }
        }
        match (self.retry, &self.pace) {
            (Some(retry), _) => world.true_s >= retry,
            (None, SlowPace::Every(period)) => match elapsed {
                Some(elapsed) => elapsed >= *period,
                None => world.true_s >= begun_true_s + self.jitter_s,
            },
            (None, SlowPace::Clock(..)) => false,
        }
    }

    fn start(&mut self, world: &World, boot: u32) {
        let wall = world.now().wall_s;
        self.started = Some((world.true_s, wall, boot));
        self.done = Some(wall - self.jitter_s);
        self.retry = None;
    }

    fn end(&mut self, true_s: i64, is_good: bool) {
        if is_good {
            (self.in_a_row, self.loops) = (0, false);
            self.failed.clear();
            return;
        }
        self.in_a_row += 1;
        self.failed.push(true_s);
        let recent = self.failed.iter().filter(|at| true_s - **at <= 600).count();
        self.loops |= recent >= 5;
        let wait = if self.loops { 3600 } else { (10 * 2_i64.pow(self.in_a_row - 1)).min(3600) };
        self.retry = Some(true_s + wait);
    }
}

/// What happens to the machine at a true second.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Event {
    Jump(i64),
    Restart,
    Boot,
}

/// How long a run takes and how it ends: the same for both.
fn fate(name: &str, at_s: i64, outage: (i64, i64)) -> (i64, bool) {
    let in_outage = name == "health" && (outage.0..outage.1).contains(&at_s);
    (5 + (at_s / 7 + i64::try_from(name.len()).unwrap()) % 50, !in_outage)
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from((self.0 >> 33) % bound).unwrap()
    }
}

const NAMES: [&str; 3] = ["recorder", "check", "health"];

fn soak(seed: u64) {
    const DAY: i64 = 86_400;
    let mut random = Random(seed);
    let mut events: Vec<(i64, Event)> = (0..10)
        .map(|_| {
            let event = match random.below(5) {
                0 => Event::Jump(random.below(40_000)),
                1 => Event::Jump(-random.below(40_000)),
                2 => Event::Jump(random.below(600) - 300),
                3 => Event::Restart,
                _ => Event::Boot,
            };
            (random.below(86_000), event)
        })
        .collect();
    events.sort_by_key(|(at, _)| *at);
    let begins = random.below(86_000);
    let outage = (begins, begins + random.below(20_000));
    let (recorder_jitter, check_jitter, health_jitter) =
        (random.below(600), random.below(1800), random.below(3600));
    let u = |n: i64| u64::try_from(n).unwrap();

    // The plan, driven by its own sleeps.
    let jobs = vec![
        job("recorder", Pace::Every(1800), u(recorder_jitter)),
        job("check", Pace::Cron("30 2,14 * * *".parse().unwrap()), u(check_jitter)),
        job("health", Pace::Cron("15 */3 * * *".parse().unwrap()), u(health_jitter)),
    ];
    let mut world = World { true_s: 0, offset_s: 0, boot_at_s: 0 };
    let mut plan = Plan::new(jobs.clone(), BTreeMap::new(), zone(), "boot 0", world.now());
    let (mut fast, mut left, mut boot) = (Vec::new(), events.clone(), 0);
    let mut running: Option<(Job, i64, bool)> = None;
    let mut wakes = 0;
    while world.true_s < DAY {
        wakes += 1;
        while left.first().is_some_and(|(at, _)| *at <= world.true_s) {
            match left.remove(0).1 {
                Event::Jump(by) => world.offset_s += by,
                event => {
                    // A run that is under way dies with the program: it was started, and it failed.
                    if let Some((job, ..)) = running.take() {
                        plan.finished(&job, world.now(), false, String::new());
                    }
                    if event == Event::Boot {
                        boot += 1;
                        world.boot_at_s = world.true_s;
                    }
                    plan = Plan::new(
                        jobs.clone(),
                        plan.past().clone(),
                        zone(),
                        &format!("boot {boot}"),
                        world.now(),
                    );
                }
            }
        }
        if let Some((job, ends, is_good)) = running.take_if(|(_, ends, _)| *ends <= world.true_s) {
            assert_eq!(ends, world.true_s);
            plan.finished(&job, world.now(), is_good, String::new());
        }
        if running.is_none()
            && let Some(job) = plan.due(world.now(), false)
        {
            fast.push((world.true_s, job.name));
            plan.started(&job, world.now());
            let (takes, is_good) = fate(job.name, world.true_s, outage);
            running = Some((job, world.true_s + takes, is_good));
        }
        let sleep = world.true_s + i64::try_from(plan.sleep_s(world.now())).unwrap();
        let event = left.first().map_or(i64::MAX, |(at, _)| *at);
        let end = running.as_ref().map_or(sleep, |(_, ends, _)| *ends);
        world.true_s = end.min(event).max(world.true_s + i64::from(running.is_none()));
    }

    // The model, second by second.
    let mut world = World { true_s: 0, offset_s: 0, boot_at_s: 0 };
    let mut slow = [
        Slow::new(SlowPace::Every(1800), recorder_jitter),
        Slow::new(SlowPace::Clock(30, &[2, 14]), check_jitter),
        Slow::new(SlowPace::Clock(15, &[0, 3, 6, 9, 12, 15, 18, 21]), health_jitter),
    ];
    let (mut expected, mut boot, mut begun) = (Vec::new(), 0, 0);
    let mut running: Option<(usize, i64, bool)> = None;
    for second in 0..DAY {
        world.true_s = second;
        for (_, event) in events.iter().filter(|(at, _)| *at == second) {
            match event {
                Event::Jump(by) => world.offset_s += by,
                event => {
                    if let Some((index, ..)) = running.take() {
                        slow[index].end(second, false);
                    }
                    begun = second;
                    if *event == Event::Boot {
                        boot += 1;
                        for job in &mut slow {
                            job.failed.clear();
                            job.loops = false;
                            job.retry = job.retry.map(|_| second);
                        }
                    }
                }
            }
        }
        if let Some((index, _, is_good)) = running.take_if(|(_, ends, _)| *ends == second) {
            slow[index].end(second, is_good);
        }
        if running.is_some() {
            continue;
        }
        for index in 0..slow.len() {
            if slow[index].is_due(&world, boot, begun) {
                expected.push((second, NAMES[index]));
                slow[index].start(&world, boot);
                let (takes, is_good) = fate(NAMES[index], second, outage);
                running = Some((index, second + takes, is_good));
                break;
            }
        }
    }
    assert_eq!(fast, expected, "seed {seed}: {events:?}, outage {outage:?}");
    assert!(fast.len() >= 40, "seed {seed}: {} runs", fast.len());
    assert!(wakes < 24 * 60, "seed {seed}: {wakes} wake-ups in a day");
}

#[test]
fn a_day_with_jumps_restarts_and_outages_runs_each_job_exactly_as_scheduled() {
    for seed in 0..24 {
        soak(seed);
    }
}
