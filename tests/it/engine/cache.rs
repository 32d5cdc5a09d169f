//! A cache on a real engine.

use std::os::unix::fs::MetadataExt as _;

use crate::support::real::Real;
use crate::support::wait_until;

/// Removes the volumes of this test's caches, also if it fails.
struct Volumes<'a>(&'a Real, Vec<String>);

impl Drop for Volumes<'_> {
    fn drop(&mut self) {
        for volume in &self.1 {
            self.0.docker(&["volume", "rm", volume]);
        }
    }
}

#[test]
fn a_run_finds_what_an_earlier_one_has_put_into_the_cache() {
    let real = Real::new();
    let uid = std::fs::metadata(real.path("home")).unwrap().uid();
    let cache = real.name("cache");
    let _volumes = Volumes(&real, vec![format!("longshore-cache-{uid}-{cache}")]);
    let code = concat!(
        "import os\n",
        "for key in ('HOME', 'XDG_CACHE_HOME', 'PIP_CACHE_DIR', 'HF_HOME'):\n",
        "    place = os.environ[key]\n",
        "    os.makedirs(place, exist_ok=True)\n",
        "    file = os.path.join(place, key)\n",
        "    print(key, place, os.path.exists(file))\n",
        "    open(file, 'a').write('x')\n",
        "print(oct(os.stat('/cache').st_mode), os.stat('/cache').st_uid, os.getuid())\n",
    );
    let source = real.source(code);
    let said = |user: &str, more: &[&str]| {
        let flags = [&["--cache", &cache, "--user", user, "--follow"], more].concat();
        real.run(&real.run_args(&source, &flags)).code(0).stdout
    };
    let seen = |home: &str, found: &str, user: &str| {
        let places = ["/cache/.cache", "/cache/.cache/pip", "/cache/.cache/huggingface"];
        let lines =
            ["HOME", "XDG_CACHE_HOME", "PIP_CACHE_DIR", "HF_HOME"].into_iter().zip([home].into_iter().chain(places));
        let lines: String = lines
            .map(|(key, place)| {
                format!("{key} {place} {}\n", if place == home && home != "/cache" { "False" } else { found })
            })
            .collect();
        format!("{lines}0o41777 4321 {user}\n")
    };
    // Not root, who could write anywhere.
    assert_eq!(said("4321:4322", &[]), seen("/cache", "False", "4321"));
    assert_eq!(said("4321:4322", &[]), seen("/cache", "True", "4321"));
    assert_eq!(said("4321:4322", &["-e", "HOME=/tmp"]), seen("/tmp", "True", "4321"));
    // A container is removed after the end was recorded.
    wait_until("no container is left", || real.containers().is_empty());
    let labels = real.docker_says(&[
        "volume",
        "inspect",
        "--format",
        "{{json .Labels}}",
        &format!("longshore-cache-{uid}-{cache}"),
    ]);
    assert!(
        labels.contains("\"longshore.cache\"") && labels.contains(&format!("\"longshore.uid\":\"{uid}\"")),
        "{labels}"
    );
}
