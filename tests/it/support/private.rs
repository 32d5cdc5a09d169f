//! A world with an engine of its own, which may be killed, hung, started on other data or cut off like a machine that
//! loses its power. The machine's engine is never touched.
//!
//! The engine stands in new namespaces. The first process of its pid namespace is a shell: when that one ends, the
//! kernel kills dockerd, containerd, the shims and every container at once, which is what a reboot does, and what
//! happens at the end of each test. The shell ends by itself when the test's end of its stdin is closed, so nothing
//! outlives a test that was killed. The network namespace keeps this dockerd from changing the bridge of another one.

use std::io::{BufRead as _, BufReader, Write as _};
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::fake::names;
use super::processes::{Process, Processes};
use super::real::{Client, Real};
use super::{World, skipped, wait_until};

/// The world, and its engine.
pub struct Private {
    // In the order in which they have to end.
    machine: Option<Machine>,
    processes: Processes,
    data: TempDir,
    world: World,
    docker: PathBuf,
    config: PathBuf,
    /// The data root of the next start.
    root: String,
    /// The `/etc/docker` of the next start, from whose key an engine before version 24 has its id.
    key: String,
    /// The size of the file system of the data, if it has one of its own, and where that can be seen from here.
    disk: Option<&'static str>,
    inside: PathBuf,
    /// More flags of the next start's dockerd.
    options: Vec<String>,
}

/// The variable that marks every process of longshore's in this world.
const MARK: &str = "LONGSHORE_TEST_WORLD";

/// What the engine's machine runs first. `/run` is new, so that the sockets of another engine are not there.
const INIT: &str = r#"
set -e
exec 2>&1
mount -t tmpfs none /run
[ -z "$disk" ] || mount -t tmpfs -o "size=$disk" none "$data"
if command -v ip >/dev/null; then ip link set lo up; fi
echo up
while read -r line; do :; done
"#;

/// What starts dockerd: an engine before version 24 takes its id from a key in this directory.
const DOCKERD: &str = r#"mkdir -p /etc/docker && mount --bind "$etc" /etc/docker && exec dockerd "$@""#;

impl Private {
    /// With an engine that has the base image and is yet to be started. Nothing where this user or this machine may have none: then
    /// the test says so by its name.
    pub fn new() -> Option<Self> {
        Self::with(None)
    }

    /// The same, with its data on a file system of this size, in memory.
    pub fn on_disk_of(size: &'static str) -> Option<Self> {
        Self::with(Some(size))
    }

    fn with(disk: Option<&'static str>) -> Option<Self> {
        if let Err(why) = possible() {
            skipped(&why);
            return None;
        }
        let prepared = prepared();
        let mut engine = Self::bare(disk);
        if disk.is_some() {
            let machine = Machine::boot(engine.data.path(), disk);
            engine.inside = machine.sees(engine.data.path());
            engine.machine = Some(machine);
        }
        engine.copy_data(&prepared, "root");
        Some(engine)
    }

    /// An engine that has no data and was not started.
    fn bare(disk: Option<&'static str>) -> Self {
        let (docker, config) = Client::Legacy.find();
        let mut world = World::new(&docker);
        world.set("DOCKER_CONFIG", &config);
        world.set("DOCKER_HOST", format!("unix://{}", world.path("s").display()));
        world.set("LONGSHORE_DOCKER_TIMEOUT", "30s");
        // How long a client has to be gone until the absence of its container is believed. Nothing here starts so slowly.
        world.set("LONGSHORE_TEST_SETTLING", "5s");
        let mark = world.dir.path().to_owned();
        world.set(MARK, &mark);
        // Beside the prepared data, so that its layers can be linked instead of being copied.
        let data = tempfile::Builder::new().prefix("engine-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let processes = Processes::with(format!("{MARK}={}", mark.display()));
        let inside = data.path().to_owned();
        Self {
            machine: None,
            processes,
            data,
            world,
            docker,
            config,
            root: "root".to_owned(),
            key: "key".to_owned(),
            disk,
            inside,
            options: Vec::new(),
        }
    }

    /// Starts dockerd, and waits until it answers.
    #[track_caller]
    pub fn start(&mut self, live_restore: bool) {
        self.begin_start(live_restore);
        self.wait_until_it_answers();
    }

    /// Gives the next start's dockerd more flags.
    pub fn use_options(&mut self, options: &[&str]) {
        self.options = options.iter().map(|option| (*option).to_owned()).collect();
    }

    /// Starts dockerd and does not wait.
    pub fn begin_start(&mut self, live_restore: bool) {
        let (root, etc) = (self.data.path().join(&self.root), self.data.path().join(&self.key));
        let machine = self.machine.get_or_insert_with(|| Machine::boot(self.data.path(), self.disk));
        for dir in [&self.root, &self.key] {
            std::fs::create_dir_all(self.inside.join(dir)).unwrap();
        }
        let _ = std::fs::remove_file(self.world.path("s"));
        let live_restore = live_restore.then(|| "--live-restore".to_owned());
        let options: Vec<String> = live_restore.into_iter().chain(self.options.iter().cloned()).collect();
        machine.start_dockerd(&root, &etc, &self.world.path("s"), &self.world.path("dockerd.log"), &options);
    }

    /// Waits until the engine answers, and fails the test with the end of dockerd's own log if it ended instead.
    #[track_caller]
    pub fn wait_until_it_answers(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !self.docker(&["version"]).status.success() {
            let ended = self.machine.as_mut().is_none_or(Machine::dockerd_ended);
            if ended || Instant::now() > deadline {
                let log = std::fs::read_to_string(self.world.path("dockerd.log")).unwrap_or_default();
                let lines: Vec<&str> = log.lines().collect();
                panic!(
                    "dockerd does not answer; its log ends with:\n{}",
                    lines[lines.len().saturating_sub(15)..].join("\n")
                );
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Stops dockerd as a service manager does, and waits for its end.
    pub fn stop(&mut self) {
        self.machine().end_dockerd(Signal::TERM);
    }

    /// Kills dockerd alone. Its containerd dies with it; the shims and the containers live on.
    pub fn kill(&mut self) {
        self.machine().end_dockerd(Signal::KILL);
    }

    /// What a loss of power does: every process of the engine and of its containers is gone at once, and so is `/run`.
    pub fn crash(&mut self) {
        self.machine = None;
    }

    /// [`Private::crash`], and the start after it.
    #[track_caller]
    pub fn hard_reboot(&mut self) {
        self.crash();
        self.start(false);
    }

    /// From now on dockerd takes connections and answers none.
    pub fn hang(&mut self) {
        self.machine().signal_dockerd(Signal::STOP);
    }

    /// dockerd goes on.
    pub fn resume(&mut self) {
        self.machine().resume();
    }

    /// Which data the next start is on, `root` at first, and which key, `key` at first. Data that is new has the base
    /// image. Before version 24 an engine's id is that of its key; later it belongs to the data.
    pub fn use_data(&mut self, root: &str, key: &str) {
        if !self.inside.join(root).exists() {
            self.copy_data(&prepared(), root);
        }
        root.clone_into(&mut self.root);
        key.clone_into(&mut self.key);
    }

    /// Leaves no room on the disk of [`Private::on_disk_of`].
    pub fn fill_disk(&self) {
        let mut file = std::fs::File::create(self.inside.join("full")).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
    }

    /// Makes room again.
    pub fn empty_disk(&self) {
        std::fs::remove_file(self.inside.join("full")).unwrap();
    }

    /// Runs docker itself on this engine.
    pub fn docker(&self, args: &[&str]) -> Output {
        let mut command = Command::new(&self.docker);
        command.args(args).env("DOCKER_CONFIG", &self.config).env("DOCKER_BUILDKIT", "0");
        command.env("DOCKER_HOST", format!("unix://{}", self.world.path("s").display()));
        command.stdin(Stdio::null()).output().expect("docker runs")
    }

    /// What docker prints.
    #[track_caller]
    pub fn docker_says(&self, args: &[&str]) -> String {
        let output = self.docker(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// The containers of longshore's runs on the engine.
    #[track_caller]
    pub fn containers(&self) -> Vec<String> {
        let names =
            self.docker_says(&["ps", "--all", "--format", "{{.Names}} {{.Status}}", "--filter", "label=longshore.run"]);
        names.lines().map(str::to_owned).collect()
    }

    /// The processes of longshore in this world: commands, supervisors, docker clients.
    pub fn processes(&self) -> Vec<Process> {
        self.processes.list()
    }

    fn machine(&mut self) -> &mut Machine {
        self.machine.as_mut().expect("the engine was started")
    }

    /// Gives the engine a copy of prepared data. The layers are linked: an engine never writes into one.
    fn copy_data(&self, prepared: &Path, name: &str) {
        let to = self.inside.join(name);
        std::fs::create_dir(&to).unwrap();
        for entry in names(prepared) {
            let layers = ["overlay2", "fuse-overlayfs", "vfs"].contains(&entry.as_str()) && self.disk.is_none();
            let copied =
                Command::new("cp").arg(if layers { "-al" } else { "-a" }).arg(prepared.join(&entry)).arg(&to).output();
            let copied = copied.expect("cp runs");
            assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
        }
    }
}

impl Deref for Private {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl DerefMut for Private {
    fn deref_mut(&mut self) -> &mut World {
        &mut self.world
    }
}

/// The namespaces, and the dockerd in them.
struct Machine {
    unshare: Child,
    /// The first process in the pid namespace, as the host numbers it.
    init: Pid,
    /// `nsenter`, which ends when dockerd does, and dockerd itself.
    dockerd: Option<(Child, Pid)>,
    /// The control group of the containers.
    cgroup: String,
}

impl Machine {
    fn boot(data: &Path, disk: Option<&str>) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let cgroup = format!("longshore-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut command = Command::new("unshare");
        command.args(NAMESPACES).args(["--fork", "--kill-child", "--mount-proc", "bash", "-c", INIT]);
        command.env("data", data).env("disk", disk.unwrap_or_default());
        // unshare complains of something that it did to itself; what the shell says comes on stdout.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut unshare = command.spawn().expect("unshare runs");
        let mut line = String::new();
        BufReader::new(unshare.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "up\n", "the engine's namespaces were not made");
        let init = child_of(unshare.id()).expect("the first process of the namespace");
        Self { unshare, init, dockerd: None, cgroup }
    }

    fn start_dockerd(&mut self, data: &Path, etc: &Path, socket: &Path, log: &Path, options: &[String]) {
        let log = std::fs::File::options().create(true).append(true).open(log).unwrap();
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.init.as_raw_nonzero().to_string()]).args(NAMESPACES);
        command.args(["sh", "-c", DOCKERD, "dockerd"]).env("etc", etc);
        // What runs on one data root is out of sight of a dockerd on another.
        command.arg("--exec-root").arg(Path::new("/run").join(data.file_name().unwrap()));
        command.arg("--data-root").arg(data).args(["--pidfile", "/run/docker.pid"]);
        command.arg("--host").arg(format!("unix://{}", socket.display()));
        // No bridge and no rules of a firewall: a container starts in half the time.
        command.args(["--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-masq=false"]);
        command
            .args(["--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent"])
            .arg(format!("/{}", self.cgroup));
        command.args(options);
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let nsenter = command.spawn().expect("nsenter runs");
        let mut dockerd = None;
        wait_until("nsenter has forked", || {
            dockerd = child_of(nsenter.id());
            dockerd.is_some()
        });
        self.dockerd = Some((nsenter, dockerd.unwrap()));
    }

    fn dockerd_ended(&mut self) -> bool {
        self.dockerd.as_mut().is_none_or(|(nsenter, _)| nsenter.try_wait().unwrap().is_some())
    }

    fn signal_dockerd(&self, signal: Signal) {
        let (_, dockerd) = self.dockerd.as_ref().expect("dockerd was started");
        kill_process(*dockerd, signal).expect("dockerd runs");
    }

    /// Lets dockerd go on. nsenter stops itself when its child is stopped, and wakes its child when it goes on.
    fn resume(&self) {
        if let Some((nsenter, dockerd)) = &self.dockerd {
            let _ = kill_process(*dockerd, Signal::CONT);
            let _ = kill_process(Pid::from_child(nsenter), Signal::CONT);
        }
    }

    /// Ends dockerd and waits until its containerd, which is to die with it, is gone.
    fn end_dockerd(&mut self, signal: Signal) {
        self.signal_dockerd(signal);
        let (mut nsenter, _) = self.dockerd.take().unwrap();
        nsenter.wait().unwrap();
        let namespace = self.namespace();
        wait_until("containerd is gone", || {
            !in_namespace(namespace.as_deref()).iter().any(|(_, command)| command.starts_with("containerd "))
        });
    }

    /// Where its view of a directory can be seen from here.
    fn sees(&self, dir: &Path) -> PathBuf {
        Path::new("/proc")
            .join(self.init.as_raw_nonzero().to_string())
            .join("root")
            .join(dir.strip_prefix("/").unwrap())
    }

    /// Which pid namespace this is; a container has one of its own below it.
    fn namespace(&self) -> Option<PathBuf> {
        std::fs::read_link(format!("/proc/{}/ns/pid", self.init.as_raw_nonzero())).ok()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = kill_process(self.init, Signal::KILL);
        // The namespace ends after nsenter has waited for dockerd.
        self.resume();
        // unshare waits for it, and the kernel lets it end after all others of the namespace.
        let _ = self.unshare.wait();
        if let Some((mut nsenter, _)) = self.dockerd.take() {
            let _ = nsenter.wait();
        }
        // Removed by its name, deepest first; version 1 has one for each controller.
        let mut find = Command::new("find");
        find.args(["/sys/fs/cgroup", "-depth", "-type", "d", "-path", &format!("*/{}*", self.cgroup)]);
        let _ = find.args(["-exec", "rmdir", "{}", "+"]).stderr(Stdio::null()).status();
    }
}

const NAMESPACES: [&str; 3] = ["--net", "--mount", "--pid"];

/// Why there can be no engine of its own here.
fn possible() -> Result<(), String> {
    if !rustix::process::geteuid().is_root() {
        return Err("an engine of its own needs root".to_owned());
    }
    for program in ["dockerd", "unshare", "nsenter", "bash"] {
        if !Command::new(program).arg("--version").output().is_ok_and(|ran| ran.status.success()) {
            return Err(format!("an engine of its own needs {program}"));
        }
    }
    let probe =
        Command::new("unshare").args(NAMESPACES).args(["--fork", "mount", "-t", "tmpfs", "none", "/run"]).output();
    if probe.is_ok_and(|ran| ran.status.success()) {
        Ok(())
    } else {
        Err("this machine allows no namespaces of its own".to_owned())
    }
}

/// A data root with the base image, made once for each image and engine. Loading the image takes seconds.
fn prepared() -> PathBuf {
    let (docker, _) = Client::Legacy.find();
    let said = |command: &mut Command| String::from_utf8(command.output().expect("it runs").stdout).unwrap();
    let image = said(Command::new(&docker).args(["image", "inspect", "--format", "{{.Id}}", &Real::base()]));
    let version = said(Command::new("dockerd").arg("--version"));
    let version: String = version.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '.').collect();
    let name = format!("data-{version}-{}", image.trim().trim_start_matches("sha256:"));
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let lock = std::fs::File::create(target.join("data.lock")).unwrap();
    lock.lock().unwrap();
    let done = target.join(name);
    if !done.exists() {
        let mut engine = Private::bare(None);
        engine.start(false);
        let mut save = Command::new(&docker).args(["save", &Real::base()]).stdout(Stdio::piped()).spawn().unwrap();
        let mut load = Command::new(&docker);
        load.arg("load").env("DOCKER_HOST", format!("unix://{}", engine.world.path("s").display()));
        let loaded = load.stdin(save.stdout.take().unwrap()).output().unwrap();
        assert!(loaded.status.success(), "{}", String::from_utf8_lossy(&loaded.stderr));
        assert!(save.wait().unwrap().success());
        engine.stop();
        engine.crash();
        std::fs::rename(engine.data.path().join("root"), &done).unwrap();
    }
    done
}

/// The first process whose parent this is.
fn child_of(parent: u32) -> Option<Pid> {
    names(Path::new("/proc")).iter().filter_map(|name| name.parse::<i32>().ok()).find_map(|pid| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let fields = stat.rsplit(") ").next()?;
        (fields.split(' ').nth(1)?.parse::<u32>().ok()? == parent).then_some(())?;
        Pid::from_raw(pid)
    })
}

/// The processes of a pid namespace, with their command lines.
fn in_namespace(namespace: Option<&Path>) -> Vec<(u32, String)> {
    let of = |pid: u32| std::fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let pids = names(Path::new("/proc")).into_iter().filter_map(|name| name.parse::<u32>().ok());
    pids.filter(|pid| of(*pid).as_deref() == namespace)
        .map(|pid| {
            let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            (pid, String::from_utf8_lossy(&words).replace('\0', " "))
        })
        .collect()
}
