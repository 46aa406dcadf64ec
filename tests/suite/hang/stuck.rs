//! Readers and commands that hang in the kernel: each costs one child, which is remembered until it comes back.

use super::*;

/// Runs with that many hung folders `hung0`, `hung1` … each of which holds a readable file below the hung one.
fn with_hung_folders(count: usize, script: &str, test: impl AsyncFnOnce(&Machine, Vec<HangFs>)) {
    let machine = Machine::with_smartctl(script);
    let mut hung = Vec::new();
    for n in 0..count {
        let folder = machine.path(&format!("hung{n}"));
        fs::create_dir(&folder).expect("a folder");
        fs::write(folder.join("file"), "alive\n").expect("a file");
        match HangFs::mount(&folder) {
            Ok(mounted) => hung.push(mounted),
            Err(error) => return skip("fuse", &format!("cannot mount a FUSE file system: {error}")),
        }
    }
    run(async {
        test(&machine, hung).await;
        machine.is_left_clean().await;
    });
}

/// Asks once, then fifty times more with a new source each, and counts what is stuck meanwhile.
async fn check_one_stuck_child(machine: &Machine, request: &Request, target: &str, mut others: Vec<Request>) {
    let first = machine.patient();
    let start = Instant::now();
    let failure = first.fetch(request).await.expect_err("it hangs");
    assert!(start.elapsed() < SLACK, "it took {:?}", start.elapsed());
    assert!(matches!(&failure, Failure::Stuck { target: at, .. } if at == target), "{failure}");
    assert_eq!(first.counters().readers_abandoned, 1);
    drop(first);
    let stuck = machine.stuck();
    let [entry] = stuck.as_slice() else { panic!("one child is stuck, not {stuck:?}") };
    assert_eq!(entry.target, target);
    others.push(request.clone());
    for round in 0..50 {
        let source = machine.source();
        let answer = source.fetch(&others[round % others.len()]).await;
        assert_eq!(answer, Err(failure.clone()), "round {round}");
        assert_eq!(source.counters().processes_started, 0);
        let listed: Vec<StuckReader> =
            serde_json::from_slice(&source.fetch(&Request::StuckReaders).await.expect("a list").bytes)
                .expect("JSON");
        assert_eq!(listed, stuck);
    }
    let left = machine.processes();
    assert_eq!(left.iter().map(|(pid, _)| *pid).collect::<Vec<_>>(), [entry.pid], "{left:?}");
}

#[test]
fn a_hung_file_costs_one_child_until_it_comes_back() {
    with_hung_folders(1, "", async |machine, hung| {
        let request = Request::read(machine.text("hung0/file"), 100);
        let others = vec![Request::list(machine.text("hung0")), Request::link(machine.text("hung0/other"))];
        check_one_stuck_child(machine, &request, &machine.text("hung0/file"), others).await;
        // Everything else is read as always.
        machine.source().fetch(&Request::read("/proc/uptime", 100)).await.expect("always there");
        drop(hung);
        machine.is_left_clean().await;
        let source = machine.source();
        assert_eq!(source.fetch(&request).await.expect("it is back").text(), "alive\n");
        assert_eq!(source.fetch(&Request::StuckReaders).await.expect("a list").text(), "[]");
        assert!(!machine.path("run/abandoned.json").exists());
    });
}

#[test]
fn of_questions_asked_together_only_the_hanging_one_is_lost() {
    with_hung_folders(1, "", async |machine, hung| {
        let folder = machine.path("folder");
        fs::create_dir(&folder).expect("a folder");
        fs::write(folder.join("a"), "first\n").expect("a file");
        fs::write(folder.join("c"), "third\n").expect("a file");
        let requests = ["folder/a", "hung0/file", "folder/c", "folder/none", "hung0/file"];
        let requests = requests.map(|name| Request::read(machine.text(name), 100));
        let source = machine.patient();
        let mut answers = Vec::new();
        source.fetch_all(&requests, &mut |at, answer| answers.push((at, answer))).await;
        answers.sort_by_key(|(at, _)| *at);
        let answers: Vec<_> = answers.into_iter().map(|(_, answer)| answer.map(|read| read.text())).collect();
        let [a, hangs, c, none, again] = answers.as_slice() else { panic!("five answers, not {answers:?}") };
        assert_eq!((a.as_deref(), c.as_deref()), (Ok("first\n"), Ok("third\n")));
        assert_eq!(none, &Err(Failure::NotFound));
        let target = machine.text("hung0/file");
        for answer in [hangs, again] {
            assert!(matches!(answer, Err(Failure::Stuck { target: at, .. }) if *at == target), "{answer:?}");
        }
        // The first reader is lost, and one more read the rest.
        let counters = source.counters();
        assert_eq!((counters.readers_abandoned, counters.processes_started), (1, 2));
        drop((source, hung));
    });
}

#[test]
fn a_hung_folder_costs_one_child() {
    with_hung_folders(1, "", async |machine, hung| {
        let request = Request::list(machine.text("hung0"));
        let others = vec![Request::read(machine.text("hung0/file"), 100)];
        check_one_stuck_child(machine, &request, &machine.text("hung0"), others).await;
        drop(hung);
        machine.is_left_clean().await;
        assert_eq!(machine.source().fetch(&request).await.expect("it is back").names(), ["file"]);
    });
}

#[test]
fn a_hung_command_costs_one_child_until_it_comes_back() {
    with_hung_folders(1, "cat FOLDER/hung0/file", async |machine, hung| {
        // It is the command's own child that hangs, and the device that is left alone.
        let device = DeviceNode::parse("sda").expect("a known shape");
        let others = SmartctlKind::ALL
            .map(|kind| Request::Run(Command::Smartctl { device: device.clone(), kind }))
            .into_iter()
            .chain(
                DeviceQuery::all().into_iter().map(|query| Request::Device { device: device.clone(), query }),
            );
        check_one_stuck_child(machine, &smartctl(), "/dev/sda", others.collect()).await;
        let sdb = DeviceNode::parse("sdb").expect("a known shape");
        machine.write_smartctl("#!/bin/sh\necho well\n", 0o755);
        let other_disk = Request::Run(Command::Smartctl { device: sdb, kind: SmartctlKind::Sat });
        assert_eq!(machine.source().fetch(&other_disk).await.expect("another disk").text(), "well\n");
        drop(hung);
        machine.is_left_clean().await;
        assert_eq!(machine.source().fetch(&smartctl()).await.expect("it is back").text(), "well\n");
        assert_eq!(machine.stuck(), []);
    });
}

#[test]
fn a_tool_that_lies_on_a_hung_disk_does_not_hang_us() {
    with_hung_folders(1, "echo never", async |machine, hung| {
        let options = LiveOptions {
            tool_dirs: vec![machine.path("hung0")],
            command_deadline: PATIENT,
            ..machine.options()
        };
        let source = LiveSource::new(options);
        let start = Instant::now();
        let failure = source.fetch(&Request::Run(Command::SmartctlVersion)).await.expect_err("it hangs");
        assert!(matches!(&failure, Failure::Stuck { target, .. } if target == "smartctl"), "{failure}");
        assert!(start.elapsed() < SLACK, "it took {:?}", start.elapsed());
        drop(hung);
    });
}

#[test]
fn dropping_a_request_that_hangs_remembers_it() {
    with_hung_folders(1, "", async |machine, hung| {
        let source = machine.source();
        let request = Request::read(machine.text("hung0/file"), 100);
        let answer = tokio::time::timeout(PATIENT, source.fetch(&request)).await;
        assert!(answer.is_err(), "it hangs, yet: {answer:?}");
        assert!(matches!(machine.source().fetch(&request).await, Err(Failure::Stuck { .. })));
        assert_eq!(machine.stuck().len(), 1);
        drop(hung);
    });
}

#[test]
fn the_number_of_stuck_children_is_bounded() {
    with_hung_folders(10, "", async |machine, hung| {
        let source = machine.patient();
        let requests: Vec<_> =
            (0..hung.len()).map(|n| Request::read(machine.text(&format!("hung{n}/file")), 9)).collect();
        // All at once: the limit must hold for those that are busy too.
        let all = requests.iter().map(|request| source.fetch(request));
        let mut all: Vec<_> = all.collect();
        let answers = std::future::poll_fn({
            let mut done: Vec<Option<Result<Fetched, Failure>>> = vec![None; all.len()];
            move |context| {
                for (answer, done) in all.iter_mut().zip(&mut done).filter(|(_, done)| done.is_none()) {
                    if let std::task::Poll::Ready(ready) = answer.as_mut().poll(context) {
                        *done = Some(ready);
                    }
                }
                if done.iter().all(Option::is_some) {
                    return std::task::Poll::Ready(std::mem::take(&mut done));
                }
                std::task::Poll::Pending
            }
        });
        let answers: Vec<_> = answers.await.into_iter().flatten().collect();
        let count =
            |wanted: fn(&Failure) -> bool| answers.iter().filter(|a| a.as_ref().is_err_and(wanted)).count();
        assert_eq!(count(|failure| matches!(failure, Failure::Stuck { .. })), 8, "{answers:?}");
        assert_eq!(count(|failure| *failure == Failure::TooManyStuck), 2, "{answers:?}");
        assert_eq!((machine.stuck().len(), machine.processes().len()), (8, 8));
        assert_eq!(source.fetch(&smartctl()).await, Err(Failure::TooManyStuck));
        assert!(source.fetch(&Request::HostSample).await.is_ok());
        drop(hung);
    });
}
