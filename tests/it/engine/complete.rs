//! Completion with a real docker, whose fields are as they are asked for.

use crate::support::real::Real;
use crate::support::wait_until;

#[test]
fn containers_images_and_contexts_are_offered() {
    let real = Real::new();
    let name = real.name("complete");
    let label = real.label();
    real.docker_says(&[
        "create",
        "--name",
        &name,
        "--label",
        &label,
        "--label",
        "longshore-test-key=a b",
        &Real::base(),
        "true",
    ]);
    let offered = |line: &str| {
        let ran = real.run(&["__complete", "bash", "--", line, " =:"]).code(0);
        assert_eq!(ran.stderr, "");
        ran.stdout
    };
    // A busy engine may take longer than the patience of a person; then nothing is offered, and it is asked again.
    let asked = |line: String, expected: &str| {
        wait_until(&format!("{line}: {expected}"), || offered(&line).lines().any(|word| word == expected));
    };
    asked(format!("longshore container start {name}"), &name);
    asked("longshore container list --filter label=longshore-test-k".into(), "longshore-test-key=a\\ b");
    let base = Real::base();
    let (image, tag) = base.rsplit_once(':').unwrap();
    asked(format!("longshore exec run --image {image}:"), tag);
    asked("longshore --context def".into(), "default");
}
