//! Tables of single situations; days on which everything happens are in [`soak`].

use super::*;

mod soak;

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
    began_unix_s: i64,
    true_s: i64,
    offset_s: i64,
    boot_at_s: i64,
}

impl World {
    fn at(began_unix_s: i64) -> Self {
        Self { began_unix_s, true_s: 0, offset_s: 0, boot_at_s: 0 }
    }

    fn now(&self) -> Now {
        let wall_s = self.began_unix_s + self.true_s + self.offset_s;
        let plausible = wall_s > 1_700_000_000;
        Now { wall_s, boot_s: u64::try_from(self.true_s - self.boot_at_s).unwrap(), plausible }
    }
}

/// `+N` lets N hours pass, `jN` sets the clock N hours off from where it stands, `r` restarts the program, `b` boots,
/// `d` is a clock that says 1970 (until the next `j`); at each quarter of an hour what is due runs. The runs, in hours
/// of true time.
fn check(job: &Job, story: &str, expected: &[f64]) {
    let mut world = World { boot_at_s: -100, ..World::at(MIDNIGHT) };
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
    let mut world = World::at(MIDNIGHT);
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
    let mut world = World::at(MIDNIGHT);
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
        let mut world = World::at(MIDNIGHT);
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
fn who_is_waited_for_is_run_shortly_and_once() {
    let mut world = World::at(MIDNIGHT);
    world.true_s = 1000;
    let job = job("poll", Pace::Every(900), 0);
    let mut plan = Plan::new(vec![job], BTreeMap::new(), zone(), "b", world.now());
    let mut starts = Vec::new();
    while world.true_s < 4000 {
        // Somebody waits since second 1500, which each turn of the loop sees.
        if world.true_s >= 1500 {
            plan.hurry("poll", 1500, world.now());
        }
        plan.hurry("nothing", 1500, world.now());
        if let Some(job) = plan.due(world.now(), false) {
            starts.push(world.true_s);
            plan.started(&job, world.now());
            plan.finished(&job, world.now(), true, String::new());
        }
        world.true_s += i64::try_from(plan.sleep_s(world.now())).unwrap().min(5);
    }
    assert_eq!(starts, [1000, 1510, 2410, 3310]);
}

#[test]
fn loud_jobs_wait_for_the_end_of_quiet_hours() {
    let world = World::at(MIDNIGHT);
    let loud = Job { is_loud: true, ..job("drain", Pace::Every(60), 0) };
    let mut plan = Plan::new(vec![loud], BTreeMap::new(), zone(), "b", world.now());
    assert!(plan.due(world.now(), true).is_none());
    assert_eq!(plan.sleep_s(world.now()), LONGEST_SLEEP_S, "no spin");
    assert!(plan.due(world.now(), false).is_some());
}
