//! Checks documents against the JSON Schemas of the repository.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;

use jsonschema::Registry;
use serde_json::Value;

type Schemas = (BTreeMap<String, Value>, Registry<'static>);

fn schemas() -> &'static Schemas {
    static SCHEMAS: OnceLock<Schemas> = OnceLock::new();
    SCHEMAS.get_or_init(|| {
        let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("schemas");
        let mut known = BTreeMap::new();
        for entry in std::fs::read_dir(directory).unwrap().flatten() {
            let schema: Value = serde_json::from_slice(&std::fs::read(entry.path()).unwrap()).unwrap();
            known.insert(entry.path().file_stem().unwrap().to_str().unwrap().to_owned(), schema);
        }
        let mut registry = Registry::new();
        for schema in known.values() {
            registry = registry.add(schema["$id"].as_str().unwrap(), schema.clone()).unwrap();
        }
        (known, registry.prepare().unwrap())
    })
}

/// Fails the test unless the document keeps to the schema of that name; gives it back.
#[track_caller]
pub fn validated(name: &str, document: Value) -> Value {
    let (known, registry) = schemas();
    let schema = known.get(name).unwrap_or_else(|| panic!("there is no schema {name:?}"));
    let validator = jsonschema::options().with_registry(registry).should_validate_formats(true).build(schema).unwrap();
    let wrong: Vec<String> =
        validator.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(wrong.is_empty(), "not as schemas/{name}.json has it:\n{}\n{document:#}", wrong.join("\n"));
    document
}

/// Fails the test if a document has keys that its schema does not describe.
#[track_caller]
pub fn assert_all_keys_described(name: &str, document: &Value) {
    let (known, _) = schemas();
    let described = known[name]["properties"].as_object().unwrap();
    let unknown: Vec<&String> =
        document.as_object().unwrap().keys().filter(|key| !described.contains_key(*key)).collect();
    assert!(unknown.is_empty(), "schemas/{name}.json does not describe {unknown:?}");
}

#[test]
fn every_schema_is_one_and_everything_in_it_is_described() {
    let (known, _) = schemas();
    for (name, schema) in known {
        assert!(jsonschema::meta::is_valid(schema), "{name}");
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema", "{name}");
        assert_eq!(schema["$id"], format!("https://longshore.invalid/schemas/{name}.json"));
        for key in ["title", "description"] {
            assert!(schema[key].as_str().is_some_and(|text| !text.is_empty()), "{name} has no {key}");
        }
        assert_described(name, schema);
    }
}

fn assert_described(path: &str, schema: &Value) {
    for (key, property) in schema["properties"].as_object().into_iter().flatten() {
        // A reference has its description where it leads.
        assert!(property["description"].is_string() || property["$ref"].is_string(), "{path}.{key} has no description");
        assert_described(&format!("{path}.{key}"), property);
    }
    for (key, definition) in schema["$defs"].as_object().into_iter().flatten() {
        assert_described(&format!("{path}#{key}"), definition);
    }
    for key in ["anyOf", "oneOf"] {
        for alternative in schema[key].as_array().into_iter().flatten() {
            assert_described(path, alternative);
        }
    }
    if schema["items"].is_object() {
        assert_described(&format!("{path}[]"), &schema["items"]);
    }
}
