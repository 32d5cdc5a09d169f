//! Removing on a real engine: jobs beside one that runs, images that builds left, and images by name.

use serde_json::{Value, json};

use crate::support::real::{Client, Real};
use crate::support::{schema, wait_until};

impl Real {
    /// Builds an image of this name with this command, to its end.
    #[track_caller]
    fn build(&self, name: &str, command: &str) -> String {
        let (base, label) = (Self::base(), self.label());
        let words = ["image", "create", name, "--base", &base, "--label", &label, "--run", command, "--wait", "--json"];
        self.run(&words).code(0).json()["imageId"].as_str().unwrap().to_owned()
    }

    /// From now on longshore sees no images but those of this test, since others use the engine too.
    fn hide_images_of_others(&mut self) {
        let docker = self.docker_program().display().to_string();
        let filter = self.filter();
        self.wrap_docker(&format!(
            "case \" $* \" in *' image ls '*) exec '{docker}' \"$@\" --filter '{filter}' ;; esac"
        ));
    }
}

fn images(document: &Value) -> Vec<&str> {
    document["images"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect()
}

/// Two generations of an image without a name, of which a container uses one; the third has the name. Another program made
/// an image without a name from the third.
fn only_the_unused_image_goes_with(client: Client) {
    let mut real = Real::with(client);
    let name = real.name("pruned");
    let mark = client.name();
    let [used, left, tagged] = [1, 2, 3].map(|number| {
        let image = real.build(&name, &format!("echo {number} {mark} >/made"));
        if number == 1 {
            real.docker_says(&["create", "--label", &real.label(), &name, "true"]);
        }
        image
    });
    let file = real.write("derived/Dockerfile", format!("FROM {name}\nENV DERIVED=1\n"));
    let derived = real.docker_says(&["build", "--quiet", file.parent().unwrap().to_str().unwrap()]);
    let labels = real.docker_says(&["image", "inspect", "--format", "{{json .Config.Labels}}", &derived]);
    assert!(labels.contains("longshore.job"), "the derived image has inherited the label");
    real.hide_images_of_others();
    let dry = real.run(&["prune", "--images", "--dry-run", "--json"]).code(0);
    let plan = schema::validated("prune", dry.json());
    assert_eq!(images(&plan), [&left], "{plan:#}");
    assert!(plan["images"][0]["sizeBytes"].as_u64().unwrap() > 1_000_000, "{plan:#}");
    assert!(real.has_image(&left));
    let shown = real.run(&["prune", "--images"]).code(0);
    assert!(shown.stdout.contains("removed 1 image, freed up to "), "{shown}");
    assert!(!real.has_image(&left));
    for image in [&used, &tagged, &derived, &name, &Real::base()] {
        assert!(real.has_image(image), "{image} is gone");
    }
    assert_eq!(real.run(&["image", "builds", "-q"]).code(0).stdout.lines().count(), 1, "the record of the build stays");
}

#[test]
fn only_the_unused_image_of_a_build_goes_with_the_legacy_builder() {
    only_the_unused_image_goes_with(Client::Legacy);
}

#[test]
fn only_the_unused_image_of_a_build_goes_with_buildx() {
    only_the_unused_image_goes_with(Client::Buildx);
}

#[test]
fn a_run_that_runs_during_a_prune_stays_and_ends_with_its_code() {
    let real = Real::new();
    let wait =
        "import os, time\nprint('on', flush=True)\nwhile not os.path.exists('output/gate'): time.sleep(0.05)\nexit(5)";
    let output = real.path("out");
    let running = real.start(wait, &["--output", output.to_str().unwrap()]);
    let ended =
        real.finish("print('done'); exit(3)", &["--name", "ended"]).code(3).json()["id"].as_str().unwrap().to_owned();
    wait_until("it runs", || real.says(&running, "on"));
    let done = schema::validated("prune", real.run(&["prune", "--older-than", "0s", "--json"]).code(0).json());
    assert_eq!((&done["jobs"][0]["id"], &done["jobs"][0]["removed"]), (&json!(ended), &json!(true)), "{done:#}");
    assert_eq!((done["jobs"].as_array().unwrap().len(), &done["kept"]["running"]), (1, &json!(1)), "{done:#}");
    std::fs::write(output.join("gate"), "").unwrap();
    assert_eq!(real.wait(&running).0["exitCode"], 5);
    for typed in [ended.as_str(), "ended"] {
        let told = real.run(&["exec", "wait", typed]).code(125);
        assert!(told.stderr.contains("was pruned") && told.stderr.contains("(it had failed, exit code 3)"), "{told}");
    }
}

#[test]
fn image_rm_answers_as_docker_does() {
    let real = Real::new();
    let image =
        |short: &str| real.image(short, &format!("FROM {}\nLABEL {} short={short}\n", Real::base(), real.label()));
    let (one, two, used) = (image("one"), image("two"), image("used"));
    let other = real.name("other");
    real.docker_says(&["tag", &two, &other]);
    assert_eq!(real.run(&["image", "rm", &one]).code(0).stdout, format!("{one}\n"));
    assert!(!real.has_image(&one));
    // One of two names goes, and then the image.
    let untagged = real.run(&["image", "rm", &other, "--json"]).code(0);
    let document = schema::validated("image-rm", untagged.json());
    assert_eq!((&document["untagged"], &document["deleted"]), (&json!([format!("{other}:latest")]), &json!([])));
    assert!(untagged.stderr.contains("has other names, and stays"), "{untagged}");
    let id = real.docker_says(&["image", "inspect", "--format", "{{.Id}}", &two]);
    let document = schema::validated("image-rm", real.run(&["image", "rm", &id, "--json"]).code(0).json());
    assert_eq!(document["deleted"][0], json!(id));
    real.docker_says(&["create", "--label", &real.label(), &used, "true"]);
    let refused = real.run(&["image", "rm", &used, "--json"]).code(1);
    let error = schema::validated("error", refused.json());
    assert_eq!(error["error"]["kind"], "engine-failed", "{error}");
    assert!(refused.stderr.contains("ancestor="), "{refused}");
    real.run(&["image", "rm", "-f", &used]).code(0);
    let missing = real.run(&["image", "rm", &one, "--json"]).code(1);
    assert_eq!(missing.json()["error"]["kind"], "not-found", "{missing}");
}
