//! Runs on engines that do not see the caller's files: behind ssh, and on the machine's engine as if it did not.

mod cache;
mod faults;
mod fetch;
mod lies;
mod line;
mod same;
mod storm;
mod tls;

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::support::real::Real;

/// Reads its input, prints on both streams, and leaves files, a directory, a link and an empty file.
const JOB: &str = "\
import os, sys, time
data = open('/app/data/in.txt').read()
print('read', len(data), 'as', os.getuid(), 'in', os.getcwd(), flush=True)
print('a warning', file=sys.stderr, flush=True)
os.makedirs('/app/output/sub/deep', mode=0o750, exist_ok=True)
with open('/app/output/result.bin', 'wb') as file:
    file.write(bytes(range(256)) * 1000)
with open('/app/output/sub/deep/ümlaut and blank', 'w') as file:
    file.write(data[::-1])
open('/app/output/empty', 'w').close()
if not os.path.lexists('/app/output/link'):
    os.symlink('sub/deep', '/app/output/link')
os.chmod('/app/output/result.bin', 0o640)
for number in range(int(os.environ.get('LINES', '3'))):
    print('line', number, flush=True)
    time.sleep(float(os.environ.get('PAUSE', '0')))
sys.exit(int(os.environ.get('CODE', '0')))
";

/// The flags of a run that is copied although its engine sees the files.
const SHIP: [&str; 2] = ["--ship", "always"];

/// An input directory, and the path of an output directory that is not there.
fn places(real: &Real, output: &str) -> (PathBuf, PathBuf) {
    // A file that is written while another run sends it ends that run.
    if !real.path("in/in.txt").exists() {
        real.write("in/in.txt", "some input\n");
    }
    (real.path("in"), real.path(output))
}

/// The arguments of the job with these flags.
fn job(real: &Real, output: &str, more: &[&str]) -> Vec<String> {
    let (input, output) = places(real, output);
    let source = real.source(JOB);
    let flags = ["--input", input.to_str().unwrap(), "--output", output.to_str().unwrap()];
    real.run_args(&source, &[&flags[..], more].concat())
}

/// What is in a directory: each path with its kind, mode, owner and content.
fn tree(root: &Path) -> Vec<String> {
    fn walk(root: &Path, dir: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
            let (path, data) = (entry.path(), entry.path().symlink_metadata().unwrap());
            let what = if data.is_symlink() {
                format!("-> {}", std::fs::read_link(&path).unwrap().display())
            } else if data.is_dir() {
                format!("{:o}", data.permissions().mode())
            } else {
                format!("{:o} {:?}", data.permissions().mode(), std::fs::read(&path).unwrap())
            };
            found.push(format!("{} {}:{} {what}", path.strip_prefix(root).unwrap().display(), data.uid(), data.gid()));
            if data.is_dir() {
                walk(root, &path, found);
            }
        }
    }
    let mut found = Vec::new();
    walk(root, root, &mut found);
    found.sort();
    found
}
