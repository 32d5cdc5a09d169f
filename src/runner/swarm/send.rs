//! The files of a run as configs of its swarm. A config is a file that the managers keep and give to the node of a task, so
//! neither a registry nor a shared disk is needed. It is for small files: a source tree.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::engine::argv::container_name;
use crate::engine::{Engine, EngineError};
use crate::error::{Failure, plain};
use crate::job::moved::Moved;
use crate::job::record::{Record, Run};
use crate::runner::shipped::Cargo;
use crate::units::show_bytes;

/// The size of a config. A swarm refuses one of 1,024,000 bytes.
const PIECE: usize = 1_000_000;

/// The most bytes of all configs of a run. The managers have them in memory, and each has a log of all changes.
const MOST: usize = 10 * PIECE;

/// Makes the configs; returns how many, and what is in them. The configs of a start that failed have the same names: they are
/// removed when the swarm refuses one.
pub fn send(engine: &Engine, record: &Record, run: &Run, could_not: &str) -> Result<(usize, Moved), Failure> {
    let cargo = Cargo::scan(run, false)?;
    let archive = archive(&cargo)?;
    let failed = |error: EngineError| error.failure(could_not);
    let mut pieces = archive.chunks(PIECE).enumerate();
    match pieces.try_for_each(|(number, piece)| engine.new_config(&record.id, number, piece.to_vec())) {
        Err(EngineError::Failed { .. }) => {
            engine.discard_configs(&record.id, &container_name(&record.id)).map_err(failed)?;
            for (number, piece) in archive.chunks(PIECE).enumerate() {
                engine.make_config(&record.id, number, piece.to_vec()).map_err(failed)?;
            }
        }
        made => made.map_err(failed)?,
    }
    Ok((archive.len().div_ceil(PIECE), cargo.moved()))
}

/// Source and input as `tar.gz`, from the root of the container on.
fn archive(cargo: &Cargo) -> Result<Vec<u8>, Failure> {
    let mut encoder = GzEncoder::new(Bounded::default(), Compression::default());
    let packed = cargo.pack_files(&mut encoder).and_then(|()| encoder.finish());
    packed.map(|bounded| bounded.0).map_err(|error| {
        let could_not = "cannot send the source and the input to a swarm";
        if error.kind() == io::ErrorKind::FileTooLarge {
            let why = format!("{could_not}: compressed, they have more than {}", show_bytes(MOST as u64));
            return Failure::usage(why).hint(TOO_LARGE);
        }
        Failure::usage(format!("{could_not}: {}", plain(&error)))
    })
}

const TOO_LARGE: &str = "leave files out with a .longshoreignore, put them into the image, or use --shared with directories \
     that every node has";

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
    use std::path::Path;

    use super::*;
    use crate::job::record::{Kind, Record, Work};
    use crate::job::store::Store;
    use crate::names::MountPath;

    fn cargo(dir: &Path) -> Cargo {
        let record = Record::example(&Store::new_id(), Kind::Run, None);
        let Work::Run(run) = record.work else { panic!("it is a run") };
        Cargo::scan(&Run { source: MountPath::from_path(dir).unwrap(), ..run }, false).unwrap()
    }

    #[test]
    fn the_source_is_one_archive_below_its_place_in_the_container() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("main.py"), "print(1)").unwrap();
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(&archive(&cargo(dir.path())).unwrap()[..]).read_to_end(&mut text).unwrap();
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
        let failure = archive(&cargo(dir.path())).unwrap_err();
        assert!(failure.message.contains("more than 10"), "{}", failure.message);
        assert!(failure.hint.unwrap().contains("--shared"));
    }
}
