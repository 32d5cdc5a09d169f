//! `image copy` between two real engines.

use serde_json::json;

use crate::support::private::Private;
use crate::support::real::Real;
use crate::support::schema;

#[test]
fn an_image_that_was_copied_runs_on_the_other_engine_and_is_copied_once() {
    let Some(mut other) = Private::new() else { return };
    other.start(false);
    let real = Real::new();
    let image = real.image("copied", &format!("FROM {}\nLABEL {}\nRUN echo here >/made\n", Real::base(), real.label()));
    let url = format!("unix://{}", other.path("s").display());
    let copy = |code| real.run(&["image", "copy", &image, "--to", &url, "--json"]).code(code);
    let document = schema::validated("image-copy", copy(0).json());
    let id = real.docker_says(&["image", "inspect", "--format", "{{.Id}}", &image]);
    assert_eq!((&document["id"], &document["to"], &document["copied"]), (&json!(id), &json!(url), &json!(true)));
    assert!(document["bytes"].as_u64().unwrap() > 1_000_000, "{document}");
    assert_eq!(other.docker_says(&["image", "inspect", "--format", "{{.Id}}", &image]), id);
    assert_eq!(other.docker_says(&["run", "--rm", "--network", "host", &image, "cat", "/made"]), "here");
    let again = copy(0);
    assert_eq!((&again.json()["copied"], &again.json()["bytes"]), (&json!(false), &json!(0)));
    assert!(again.stderr.contains("has image") && again.stderr.contains("nothing was copied"), "{again}");

    // The way back, by its id.
    real.docker_says(&["image", "rm", &image]);
    let back = real.run(&["--host", &url, "image", "copy", &id, "--to", "default", "--json"]).code(0).json();
    assert_eq!((&back["from"], &back["copied"]), (&json!(url), &json!(true)));
    assert!(real.has_image(&id));

    other.stop();
    let down = real.run(&["image", "copy", &id, "--to", &url, "--json"]).code(1);
    assert_eq!(schema::validated("error", down.json())["error"]["kind"], "engine-unreachable");
    assert!(down.stderr.contains(&format!("no docker engine answers at {url}")), "{down}");
}

#[test]
fn an_engine_that_is_killed_while_it_loads_is_named() {
    let Some(mut other) = Private::new() else { return };
    other.start(false);
    let mut real = Real::new();
    let image = real.image("cut", &format!("FROM {}\nLABEL {}\nRUN echo cut >/made\n", Real::base(), real.label()));
    let url = format!("unix://{}", other.path("s").display());
    // The archive waits until the other engine is gone.
    let docker = real.docker_program().display().to_string();
    let (begun, gone) = (real.path("begun"), real.path("gone"));
    real.wrap_docker(&format!(
        "if [ \"$verb\" = save ]; then '{docker}' \"$@\" | {{ head -c 1000000; touch '{}'; while ! [ -e '{}' ]; do sleep 0.1; done; cat; }}; exit; fi",
        begun.display(),
        gone.display()
    ));
    let mut command = real.command(&["image", "copy", &image, "--to", &url]);
    let child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    crate::support::wait_until("the archive is on its way", || begun.exists());
    other.kill();
    std::fs::write(gone, "").unwrap();
    let ran = crate::support::Ran::from(child.wait_with_output().unwrap()).code(1);
    assert!(ran.stderr.contains(&format!("docker load on {url} exited with status 1")), "{ran}");
}
