//! What builds and runs left on an engine: images without a name, and volumes with copies of files. Pure.
//!
//! Whatever is made from an image inherits its labels: containers, and images of other programs. So a label alone does not
//! say that a build of ours made an image. Of the images with one value of the label, the build made the first.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::argv::{COPY_LABEL, JOB_LABEL, OWNER_LABEL, copy_names};

/// An image that a build made, and that has no name any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftImage {
    /// Its id: `sha256:` and 64 digits.
    pub id: String,
    /// The id of the build.
    pub build: String,
    /// When it was made.
    pub created: Option<DateTime<Utc>>,
    /// Its size in bytes, with the layers that it shares with other images.
    pub size: u64,
}

/// Those among the engine's descriptions of all images with the label, also of those that have a name. Images that a
/// container uses are left out.
#[must_use]
pub fn left_by_builds(objects: &[Value], in_use: &HashSet<String>) -> Vec<LeftImage> {
    let mut made: HashMap<&str, &Value> = HashMap::new();
    for object in objects {
        let Some(build) = build_of(object) else { continue };
        let first = made.entry(build).or_insert(object);
        if order(object) < order(first) {
            *first = object;
        }
    }
    let is_first = |object: &Value| build_of(object).is_some_and(|build| made[build]["Id"] == object["Id"]);
    let is_left = |object: &&Value| {
        let id = object["Id"].as_str();
        is_first(object) && is_unnamed(object) && id.is_some_and(|id| !in_use.contains(id))
    };
    let image = |object: &Value| {
        Some(LeftImage {
            id: object["Id"].as_str()?.to_owned(),
            build: build_of(object)?.to_owned(),
            created: created(object),
            size: object["Size"].as_u64().unwrap_or_default(),
        })
    };
    let mut left: Vec<LeftImage> = objects.iter().filter(is_left).filter_map(image).collect();
    left.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.id.cmp(&b.id)));
    left.dedup();
    left
}

/// A volume with copies of files of runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftCopy {
    /// Its name.
    pub name: String,
    /// The label that tells it from others of its name.
    pub mark: String,
    /// When it was made.
    pub created: Option<DateTime<Utc>>,
}

/// Those that are this user's, among the engine's descriptions of volumes, the newest first.
#[must_use]
pub fn left_copies(objects: &[Value], uid: u32) -> Vec<LeftCopy> {
    let copy = |object: &Value| {
        let name = object["Name"].as_str().filter(|name| name.starts_with(&copy_names(uid)))?;
        let label = |key: &str| object["Labels"][key].as_str();
        let is_mine = label(OWNER_LABEL)?.parse() == Ok(uid);
        let mark = label(COPY_LABEL).filter(|_| is_mine)?.to_owned();
        let created = object["CreatedAt"].as_str().and_then(|text| text.parse().ok());
        Some(LeftCopy { name: name.to_owned(), mark, created })
    };
    let mut left: Vec<LeftCopy> = objects.iter().filter_map(copy).collect();
    left.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.name.cmp(&b.name)));
    left
}

/// Whether an image has neither a tag nor a digest of a registry.
#[must_use]
pub fn is_unnamed(object: &Value) -> bool {
    let is_empty = |key: &str| {
        let names = object[key].as_array().map(Vec::as_slice).unwrap_or_default();
        names.iter().all(|name| name.as_str().is_some_and(|name| name.starts_with("<none>")))
    };
    is_empty("RepoTags") && is_empty("RepoDigests")
}

fn build_of(object: &Value) -> Option<&str> {
    object["Config"]["Labels"][JOB_LABEL].as_str()
}

fn created(object: &Value) -> Option<DateTime<Utc>> {
    object["Created"].as_str()?.parse().ok()
}

/// What is made from an image has all of its layers, and is made later.
fn order(object: &Value) -> (usize, Option<DateTime<Utc>>) {
    (object["RootFS"]["Layers"].as_array().map_or(0, Vec::len), created(object))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn image(id: &str, build: &str, tags: &[&str], layers: usize, day: u32) -> Value {
        json!({
            "Id": id, "RepoTags": tags, "RepoDigests": [], "Size": 100,
            "Created": format!("2026-03-{day:02}T00:00:00Z"),
            "RootFS": {"Layers": vec!["x"; layers]},
            "Config": {"Labels": {JOB_LABEL: build}},
        })
    }

    fn left(objects: &[Value], in_use: &[&str]) -> Vec<String> {
        let in_use = in_use.iter().map(|id| (*id).to_owned()).collect();
        left_by_builds(objects, &in_use).into_iter().map(|image| image.id).collect()
    }

    #[test]
    fn images_of_builds_without_a_name_that_nothing_uses_are_left_newest_first() {
        let objects = [
            image("old", "a", &[], 2, 1),
            image("used", "b", &[], 2, 2),
            image("tagged", "c", &["web:latest"], 2, 3),
            image("new", "d", &["<none>:<none>"], 2, 4),
        ];
        assert_eq!(left(&objects, &["used"]), ["new", "old"]);
        assert_eq!(left(&[objects[0].clone(), objects[0].clone()], &[]), ["old"], "two names of a list are one image");
        let expected =
            LeftImage { id: "old".into(), build: "a".into(), created: "2026-03-01T00:00:00Z".parse().ok(), size: 100 };
        assert_eq!(left_by_builds(&objects[..1], &HashSet::new()), [expected]);
    }

    #[test]
    fn a_volume_is_a_copy_of_this_user_by_its_name_and_both_labels() {
        let volume = |name: &str, labels: Value, day: u32| json!({"Name": name, "Labels": labels, "CreatedAt": format!("2026-03-{day:02}T01:00:00+01:00")});
        let labels = |mark: &str, uid: &str| json!({COPY_LABEL: mark, OWNER_LABEL: uid});
        let mine = volume("longshore-copy-7-a", labels("m", "7"), 1);
        let objects = [
            mine.clone(),
            volume("longshore-copy-7-new", labels("n", "7"), 2),
            volume("longshore-copy-7-alike", Value::Null, 3),
            volume("longshore-copy-7-cache", json!({"longshore.cache": "x", OWNER_LABEL: "7"}), 3),
            volume("longshore-copy-7-theirs", labels("o", "77"), 3),
            volume("mine", labels("p", "7"), 3),
            volume("longshore-copy-77-b", labels("q", "7"), 3),
            json!({}),
            json!(null),
        ];
        let names: Vec<String> = left_copies(&objects, 7).into_iter().map(|copy| copy.name).collect();
        assert_eq!(names, ["longshore-copy-7-new", "longshore-copy-7-a"]);
        let created = "2026-03-01T00:00:00Z".parse().ok();
        let expected = LeftCopy { name: "longshore-copy-7-a".into(), mark: "m".into(), created };
        assert_eq!(left_copies(&[mine], 7), [expected]);
    }

    #[test]
    fn an_image_that_inherited_the_label_is_not_one_that_a_build_left() {
        let made = image("made", "a", &["web:latest"], 2, 1);
        let [more, later] = [image("more-layers", "a", &[], 3, 1), image("same-layers", "a", &[], 2, 2)];
        assert_eq!(left(&[more.clone(), made, later.clone()], &[]), Vec::<String>::new());
        // When the build's own image has lost its name, it alone is left.
        assert_eq!(left(&[later, image("made", "a", &[], 2, 1), more], &[]), ["made"]);
    }

    #[test]
    fn an_image_without_the_label_or_with_a_digest_of_a_registry_stays() {
        let mut pushed = image("pushed", "a", &[], 2, 1);
        pushed["RepoDigests"] = json!(["web@sha256:0"]);
        let mut foreign = image("foreign", "b", &[], 2, 1);
        foreign["Config"]["Labels"] = Value::Null;
        assert_eq!(left(&[pushed, foreign, json!({}), json!(null)], &[]), Vec::<String>::new());
    }
}
