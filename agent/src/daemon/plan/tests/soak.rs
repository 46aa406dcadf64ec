//! A day with jumps of the clock, restarts, boots, outages of the portal, quiet hours and changes of summer time, against
//! an independent model that looks at every second and searches minute by minute: the same runs, to the second.

use jiff::Timestamp;

use super::*;
use crate::daemon::quiet::QuietHours;

/// The slow model of one job: every second, by searching minute after minute.
struct Slow {
    pace: SlowPace,
    jitter_s: i64,
    done: Option<i64>,
    started: Option<(i64, i64, u32)>,
    retry: Option<i64>,
    again: Option<i64>,
    failed: Vec<i64>,
    in_a_row: u32,
    loops: bool,
    seen: (i64, i64, Option<i64>),
}

enum SlowPace {
    /// Minute and hours.
    Clock(i8, &'static [i8]),
    Every(i64),
    Awake(i64),
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
            again: None,
            failed: Vec::new(),
            in_a_row: 0,
            loops: false,
            seen,
        }
    }

    fn is_slot(&self, unix_s: i64) -> bool {
        let SlowPace::Clock(minute, hours) = self.pace else { return false };
        let civil = |at: i64| Timestamp::from_second(at).unwrap().to_zoned(zone()).datetime();
        let (here, an_hour_ago) = (civil(unix_s), civil(unix_s - 3600));
        let named = |hour: i8| here.minute() == minute && hours.contains(&hour);
        // What comes twice in autumn counts the first time, what is skipped in spring counts an hour later.
        let skipped = here.hour() == an_hour_ago.hour() + 2;
        unix_s % 60 == 0 && an_hour_ago != here && (named(here.hour()) || skipped && named(here.hour() - 1))
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

    fn is_due(&mut self, world: &World, boot: u32, begun_true_s: i64, awake_s: Option<i64>) -> bool {
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
        let in_this_boot = self.started.filter(|(_, _, of_boot)| *of_boot == boot).map(|(at, ..)| at);
        match (self.retry, self.again, &self.pace) {
            (Some(retry), ..) => world.true_s >= retry,
            (None, Some(again), _) => world.true_s >= again,
            (None, None, SlowPace::Every(period)) => match elapsed {
                Some(elapsed) => elapsed >= *period,
                None => world.true_s >= begun_true_s + self.jitter_s,
            },
            (None, None, SlowPace::Awake(every)) => {
                awake_s.is_some_and(|awake| in_this_boot.is_none_or(|started| started < awake))
                    && elapsed.is_none_or(|elapsed| elapsed >= *every)
            }
            (None, None, SlowPace::Clock(..)) => false,
        }
    }

    fn start(&mut self, world: &World, boot: u32) {
        let wall = world.now().wall_s;
        self.started = Some((world.true_s, wall, boot));
        self.done = Some(wall - self.jitter_s);
        (self.retry, self.again) = (None, None);
    }

    fn end(&mut self, true_s: i64, is_good: bool, again_s: Option<i64>) {
        if is_good {
            self.again = again_s.map(|seconds| true_s + seconds);
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

/// How a run goes: the same for both.
struct Fate {
    takes_s: i64,
    is_good: bool,
    /// It found the drives awake.
    awake: bool,
    /// It asks to be run again after so long.
    again_s: Option<i64>,
}

fn fate(name: &str, at_s: i64, outage: (i64, i64)) -> Fate {
    let in_outage = (outage.0..outage.1).contains(&at_s);
    Fate {
        takes_s: 5 + (at_s / 7 + i64::try_from(name.len()).unwrap()) % 50,
        // A report that cannot be sent failed; a poll that is not answered asks again at its usual time.
        is_good: !(in_outage && name == "health"),
        awake: matches!(name, "recorder" | "check") && at_s % 3 > 0,
        again_s: (name == "poll").then(|| if in_outage { 900 } else { 600 + at_s % 600 }),
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from((self.0 >> 33) % bound).unwrap()
    }
}

const NAMES: [&str; 5] = ["recorder", "check", "health", "poll", "keep"];
/// Those that send.
const LOUD: [&str; 2] = ["health", "poll"];
/// Midnights in the zone before a day without a change of clocks, one of 23 hours and one of 25: 2026-11-22, 03-29, 10-25.
const DAYS: [i64; 3] = [MIDNIGHT, 1_774_738_800, 1_792_879_200];

fn loud(job: Job) -> Job {
    Job { is_loud: true, ..job }
}

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
    let (recorder_jitter, check_jitter, health_jitter, poll_jitter) =
        (random.below(600), random.below(1800), random.below(3600), random.below(900));
    let midnight = DAYS[usize::try_from(seed % 3).unwrap()];
    let (from, to) = (random.below(24), random.below(24));
    let quiet: Option<QuietHours> = format!("{from:02}:10-{to:02}:45").parse().ok().filter(|_| seed % 2 == 1);
    let is_quiet = |now: Now| quiet.is_some_and(|hours| hours.hold_at(now.wall_s, &zone()));
    let u = |n: i64| u64::try_from(n).unwrap();

    // The plan, driven by its own sleeps.
    let jobs = vec![
        job("recorder", Pace::Every(1800), u(recorder_jitter)),
        job("check", Pace::Cron("30 2,14 * * *".parse().unwrap()), u(check_jitter)),
        loud(job("health", Pace::Cron("15 */3 * * *".parse().unwrap()), u(health_jitter))),
        loud(job("poll", Pace::Every(900), u(poll_jitter))),
        job("keep", Pace::WhenAwake(3600), 0),
    ];
    let mut world = World::at(midnight);
    let mut plan = Plan::new(jobs.clone(), BTreeMap::new(), zone(), "boot 0", world.now());
    let (mut fast, mut left, mut boot) = (Vec::new(), events.clone(), 0);
    let mut running: Option<(Job, i64, Fate)> = None;
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
        if let Some((job, ends, fate)) = running.take_if(|(_, ends, _)| *ends <= world.true_s) {
            assert_eq!(ends, world.true_s);
            plan.finished(&job, world.now(), fate.is_good, String::new());
            if fate.awake {
                plan.drives_are_awake(world.now());
            }
            if let Some(seconds) = fate.again_s {
                plan.again_after(&job, world.now(), u(seconds));
            }
        }
        if running.is_none()
            && let Some(job) = plan.due(world.now(), is_quiet(world.now()))
        {
            fast.push((world.true_s, job.name));
            plan.started(&job, world.now());
            let fate = fate(job.name, world.true_s, outage);
            running = Some((job, world.true_s + fate.takes_s, fate));
        }
        let quiet_left = quiet.and_then(|hours| hours.left_s(world.now().wall_s, &zone()));
        let sleep = plan.sleep_s(world.now()).min(quiet_left.unwrap_or(u64::MAX));
        let sleep = world.true_s + i64::try_from(sleep).unwrap();
        let event = left.first().map_or(i64::MAX, |(at, _)| *at);
        let end = running.as_ref().map_or(sleep, |(_, ends, _)| *ends);
        world.true_s = end.min(event).max(world.true_s + i64::from(running.is_none()));
    }

    // The model, second by second.
    let mut world = World::at(midnight);
    let mut slow = [
        Slow::new(SlowPace::Every(1800), recorder_jitter),
        Slow::new(SlowPace::Clock(30, &[2, 14]), check_jitter),
        Slow::new(SlowPace::Clock(15, &[0, 3, 6, 9, 12, 15, 18, 21]), health_jitter),
        Slow::new(SlowPace::Every(900), poll_jitter),
        Slow::new(SlowPace::Awake(3600), 0),
    ];
    let (mut expected, mut boot, mut begun, mut awake) = (Vec::new(), 0, 0, None);
    let mut running: Option<(usize, i64, Fate)> = None;
    for second in 0..DAY {
        world.true_s = second;
        for (_, event) in events.iter().filter(|(at, _)| *at == second) {
            match event {
                Event::Jump(by) => world.offset_s += by,
                event => {
                    if let Some((index, ..)) = running.take() {
                        slow[index].end(second, false, None);
                    }
                    (begun, awake) = (second, None);
                    if *event == Event::Boot {
                        boot += 1;
                        for job in &mut slow {
                            job.failed.clear();
                            job.loops = false;
                            job.retry = job.retry.map(|_| second);
                            job.again = None;
                        }
                    }
                }
            }
        }
        if let Some((index, _, fate)) = running.take_if(|(_, ends, _)| *ends == second) {
            slow[index].end(second, fate.is_good, fate.again_s);
            awake = if fate.awake { Some(second) } else { awake };
        }
        if running.is_some() {
            continue;
        }
        let quiet_now = is_quiet(world.now());
        for index in 0..slow.len() {
            if quiet_now && LOUD.contains(&NAMES[index]) {
                continue;
            }
            if slow[index].is_due(&world, boot, begun, awake) {
                expected.push((second, NAMES[index]));
                slow[index].start(&world, boot);
                let fate = fate(NAMES[index], second, outage);
                running = Some((index, second + fate.takes_s, fate));
                break;
            }
        }
    }
    assert_eq!(fast, expected, "seed {seed}: {events:?}, outage {outage:?}, quiet {quiet:?}");
    assert!(fast.len() >= 40, "seed {seed}: {} runs", fast.len());
    assert!(wakes < 24 * 60, "seed {seed}: {wakes} wake-ups in a day");
}

#[test]
fn a_day_with_jumps_restarts_and_outages_runs_each_job_exactly_as_scheduled() {
    for seed in 0..36 {
        soak(seed);
    }
}
