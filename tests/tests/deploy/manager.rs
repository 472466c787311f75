//! What a service manager sees: readiness, state, watchdog, end; and the sockets that it hands over.

use std::fs;
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tests::lab::DEVICE;
use tests::netns::{self, Namespace};
use tests::process::{self, Process};
use tests::scratch::Scratch;
use tests::{needs, tunmon, wait};

fn node() -> Option<[Namespace; 2]> {
    let missing = tunmon::missing(&[needs::NETWORK, &["curl"]]);
    if let Some(reason) = &missing {
        needs::skip(reason);
        return None;
    }
    let pair = netns::cable(DEVICE).unwrap();
    pair[0].ip(&["link set lo up"]).unwrap();
    Some(pair)
}

/// tunmon as a unit starts it.
fn command(namespace: &Namespace) -> Command {
    let mut command = namespace.command(tunmon::binary().unwrap().to_str().unwrap());
    command.args(["--iface", DEVICE, "--output", "quiet", "--interval", "200ms"]).stdin(Stdio::null());
    command
}

#[test]
fn a_manager_is_told_when_it_is_ready_alive_and_at_its_end() {
    let Some([near, _far]) = node() else { return };
    let scratch = Scratch::create("notify").unwrap();
    let path = scratch.path().join("socket");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut command = command(&near);
    command.args(["--no-listen"]).env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "600000");
    let mut process = Process::spawn(&mut command).unwrap();
    let next = || {
        let mut bytes = [0; 4096];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    };
    assert_eq!(next().trim(), "READY=1");
    let (since, mut alive, mut status) = (Instant::now(), 0, String::new());
    while since.elapsed() < Duration::from_secs(3) {
        let said = next();
        alive += u32::from(said.trim() == "WATCHDOG=1");
        if let Some(text) = said.strip_prefix("STATUS=") {
            text.clone_into(&mut status);
        }
    }
    // Every 300 ms, on a machine that may be busy; the limit is twice that.
    assert!((5..=12).contains(&alive), "told {alive} times in 3 s");
    assert_eq!(status.trim(), "eth0: 0 VNIs, 0 peers, 0 findings");
    process.signal(libc::SIGTERM).unwrap();
    while next().trim() != "STOPPING=1" {}
    assert!(process.wait(Duration::from_secs(10)).unwrap().success());
}

#[test]
fn a_socket_that_is_handed_over_is_served_and_survives_a_restart() {
    let Some([near, _far]) = node() else { return };
    let listener = {
        let _inside = near.enter().unwrap();
        TcpListener::bind("127.0.0.1:0").unwrap()
    };
    let port = listener.local_addr().unwrap().port();
    for _ in 0..2 {
        let inner = command(&near);
        // The process that serves is the one that the sockets are for.
        let mut command = Command::new("sh");
        command.args(["-c", "LISTEN_PID=$$ exec \"$@\"", "sh"]).arg(inner.get_program()).args(inner.get_args());
        command.env("LISTEN_FDS", "1").stdin(Stdio::null());
        let descriptor = listener.as_raw_fd();
        // SAFETY: dup2 is async-signal-safe and touches the child's table only.
        unsafe {
            command.pre_exec(move || {
                if libc::dup2(descriptor, 3) == 3 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
            });
        }
        let mut process = Process::spawn(&mut command).unwrap();
        let mut curl = near.command("curl");
        // It waits in the socket's queue until somebody serves.
        curl.args(["-sSf", "--max-time", "20", &format!("http://127.0.0.1:{port}/healthz")]);
        assert!(process::run(&mut curl).unwrap().starts_with("ok\n"));
        process.signal(libc::SIGTERM).unwrap();
        assert!(process.wait(Duration::from_secs(10)).unwrap().success());
    }
}

#[test]
fn the_unit_gives_what_the_program_needs_and_no_more() {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/systemd/tunmon.service");
    let unit = fs::read_to_string(unit).unwrap();
    let value = |key: &str| unit.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    assert_eq!(value("Type"), Some("notify"));
    assert_eq!(value("AmbientCapabilities"), Some("CAP_BPF CAP_PERFMON CAP_NET_ADMIN"));
    assert_eq!(value("CapabilityBoundingSet"), value("AmbientCapabilities"));
    for key in ["NoNewPrivileges", "ProtectHome", "PrivateTmp", "RestrictNamespaces", "MemoryDenyWriteExecute"] {
        assert_eq!(value(key), Some("yes"), "{key}");
    }
    let words: Vec<&str> = value("ExecStart").unwrap().split(' ').skip(1).collect();
    assert_eq!(words, ["--output", "quiet"], "everything else comes from the environment");
}

/// As the unit has it: another user, three capabilities, none of them after the start.
#[test]
fn it_runs_as_another_user_with_three_capabilities() {
    let Some([near, _far]) = node() else { return };
    let scratch = Scratch::create("user").unwrap();
    // The program may stand where that user cannot go.
    let program = scratch.path().join("tunmon");
    fs::copy(tunmon::binary().unwrap(), &program).unwrap();
    process::run(Command::new("chmod").args(["-R", "a+rX"]).arg(scratch.path())).unwrap();
    let mut command = near.command("setpriv");
    let capabilities = "+bpf,+perfmon,+net_admin";
    command.args([
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "--no-new-privs",
        "--bounding-set=-all,+bpf,+perfmon,+net_admin",
    ]);
    command.args([format!("--inh-caps=-all,{capabilities}"), format!("--ambient-caps=-all,{capabilities}")]);
    command.arg(&program).args(["--iface", DEVICE, "--output", "quiet", "--listen", "127.0.0.1:16081"]);
    let mut process = Process::spawn(command.stdin(Stdio::null())).unwrap();
    let served = wait::until("an answer", Duration::from_secs(20), || {
        assert!(process.ended()?.is_none(), "it has ended");
        let url = "http://127.0.0.1:16081/readyz";
        Ok(process::run(near.command("curl").args(["-sSf", "--max-time", "5", url])).ok())
    })
    .unwrap();
    assert!(served.starts_with("ready"), "{served}");
    let status = fs::read_to_string(format!("/proc/{}/status", process.pid())).unwrap();
    assert!(status.contains("CapEff:\t0000000000000000"), "{status}");
    process.signal(libc::SIGTERM).unwrap();
    assert!(process.wait(Duration::from_secs(10)).unwrap().success());
}
