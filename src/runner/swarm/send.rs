//! The files of a run as configs of its swarm. A config is a file that the managers keep and give to the node of a task, so
//! neither a registry nor a shared disk is needed. It is for small files: a source tree.

use std::io::{self, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::engine::Engine;
use crate::error::{Failure, plain};
use crate::job::record::{Record, Run};
use crate::names::{INPUT_TARGET, MountPath, SOURCE_TARGET};
use crate::transfer::{Pack, Scan, Tree};
use crate::units::show_bytes;

/// The size of a config. A swarm refuses one of 1,024,000 bytes.
const PIECE: usize = 1_000_000;

/// The most bytes of all configs of a run. The managers have them in memory, and each has a log of all changes.
const MOST: usize = 10 * PIECE;

/// Makes the configs; returns how many. Those that another try has made are left as they are.
pub fn send(engine: &Engine, record: &Record, run: &Run, could_not: &str) -> Result<usize, Failure> {
    let archive = archive(run)?;
    let pieces = archive.chunks(PIECE).enumerate();
    for (number, piece) in pieces {
        engine.make_config(&record.id, number, piece.to_vec()).map_err(|error| error.failure(could_not))?;
    }
    Ok(archive.len().div_ceil(PIECE))
}

/// Source and input as `tar.gz`, from the root of the container on.
fn archive(run: &Run) -> Result<Vec<u8>, Failure> {
    let below = [("data", run.input.is_some()), ("output", run.output.is_some())];
    let hidden: Vec<&str> = below.into_iter().filter(|(_, is_mounted)| *is_mounted).map(|(name, _)| name).collect();
    let scan = |root: &MountPath, without: &[&str]| {
        Tree::scan(&Scan { root: Path::new(root.as_str()), ignore: true, with_git: false, without })
    };
    let source = scan(&run.source, &hidden)?;
    let input = run.input.as_ref().map(|input| scan(input, &[])).transpose()?;
    let mut pack = Pack::new(GzEncoder::new(Bounded::default(), Compression::default()));
    let mut put = |tree: &Tree, at: &str| {
        let (at, (mode, uid, gid)) = (at.trim_start_matches('/'), tree.top());
        pack.directory(at, mode, uid, gid)?;
        tree.pack(at, &mut pack, &mut |_| Ok(()))
    };
    let put = put(&source, SOURCE_TARGET)
        .and_then(|()| input.as_ref().map_or(Ok(()), |input| put(input, INPUT_TARGET)))
        .and_then(|()| pack.finish()?.finish());
    put.map(|bounded| bounded.0).map_err(|error| {
        if error.kind() == io::ErrorKind::FileTooLarge {
            return Failure::usage(format!("cannot send the source and the input to a swarm: compressed, they have more than {}", show_bytes(MOST as u64)))
                .hint("leave files out with a .longshoreignore, put them into the image, or use --shared with a directory that every node has");
        }
        Failure::usage(format!("cannot send the source and the input to a swarm: {}", plain(&error)))
    })
}

/// What is written, as long as it is not too much.
#[derive(Default)]
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MOST {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;
    use crate::job::record::{Kind, Record, Work};
    use crate::job::store::Store;

    fn run(dir: &Path) -> Run {
        let record = Record::example(&Store::new_id(), Kind::Run, None);
        let Work::Run(run) = record.work else { panic!("it is a run") };
        Run { source: MountPath::from_path(dir).unwrap(), ..run }
    }

    #[test]
    fn the_source_is_one_archive_below_its_place_in_the_container() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("main.py"), "print(1)").unwrap();
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(&archive(&run(dir.path())).unwrap()[..]).read_to_end(&mut text).unwrap();
        let text = String::from_utf8_lossy(&text);
        assert!(text.starts_with("app/\0") && text.contains("app/main.py\0") && text.contains("print(1)"));
    }

    #[test]
    fn files_that_are_too_large_are_refused_with_what_helps() {
        let dir = tempfile::tempdir().unwrap();
        // It cannot be compressed.
        let noise: Vec<u8> = (0_u64..1_400_000)
            .flat_map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).wrapping_mul(n | 1).to_le_bytes())
            .collect();
        std::fs::write(dir.path().join("large"), noise).unwrap();
        let failure = archive(&run(dir.path())).unwrap_err();
        assert!(failure.message.contains("more than 10"), "{}", failure.message);
        assert!(failure.hint.unwrap().contains("--shared"));
    }
}
