//! The objects of `container list --json`: the engine's own answer to `/containers/json` or, where its API cannot be reached,
//! the same made from `docker ps` and `docker inspect`.

use std::collections::{BTreeMap, HashMap};

use chrono::DateTime;
use serde_json::{Map, Value, json};

use super::super::Runs;
use super::Row;
use crate::cli::ContainerList;
use crate::engine::{Answer, Engine};

/// As the Engine API lists them, each with the run that it belongs to.
pub fn containers(engine: &Engine, runs: &Runs, args: &ContainerList) -> Answer<Vec<Value>> {
    match listed(engine, args)? {
        Some(listed) => marked(engine, runs, listed),
        None => composed(engine, runs, args),
    }
}

/// The engine's own list, if it can be had.
fn listed(engine: &Engine, args: &ContainerList) -> Answer<Option<Vec<Map<String, Value>>>> {
    parameters(args).map_or(Ok(None), |parameters| engine.get("/containers/json", &parameters))
}

/// The parameters of the request that docker's client makes of these arguments. `None` if it makes none, but an error.
fn parameters(args: &ContainerList) -> Option<Vec<(&'static str, String)>> {
    let mut filters = BTreeMap::<String, BTreeMap<String, bool>>::new();
    for filter in super::filters(args) {
        let (key, value) = filter.split_once('=')?;
        filters.entry(key.trim().to_lowercase()).or_default().insert(value.trim().to_owned(), true);
    }
    let all = args.all.then(|| ("all", "1".to_owned()));
    let limit = args.last.filter(|last| *last > 0).map(|last| ("limit", last.to_string()));
    let filters = (!filters.is_empty()).then(|| ("filters", json!(filters).to_string()));
    Some([all, limit, filters].into_iter().flatten().collect())
}

/// Adds to each the run that it belongs to, and sorts its ports. Whose a renamed container is can only be said of its whole
/// description, so these are asked for.
fn marked(engine: &Engine, runs: &Runs, listed: Vec<Map<String, Value>>) -> Answer<Vec<Value>> {
    let mut listed: Vec<Value> = listed.into_iter().map(Value::Object).collect();
    let briefs: Vec<Value> = listed.iter().map(brief).collect();
    let unsure = briefs.iter().filter(|brief| runs.mark(brief).is_none() && runs.may_own(brief));
    let objects = objects(engine, unsure.filter_map(|brief| brief["Id"].as_str()).map(str::to_owned).collect())?;
    for (container, brief) in listed.iter_mut().zip(&briefs) {
        if let Some(ports) = container.get_mut("Ports").and_then(Value::as_array_mut) {
            sort_ports(ports);
        }
        let object = brief["Id"].as_str().and_then(|id| objects.get(id));
        add_mark(container, runs.mark(object.unwrap_or(brief)));
    }
    Ok(listed)
}

/// What a list tells of a container's description, as far as that says whose it is. Of its names, those that links from
/// others gave it have a slash inside.
fn brief(listed: &Value) -> Value {
    let names = listed["Names"].as_array().into_iter().flatten().filter_map(Value::as_str);
    json!({
        "Id": listed["Id"],
        "Name": names.into_iter().find(|name| !name.trim_start_matches('/').contains('/')),
        "State": {"Status": listed["State"]},
        "Config": {"Labels": listed["Labels"]},
    })
}

/// Under longshore's own key, with the image that the list names.
fn add_mark(container: &mut Value, mark: Option<Map<String, Value>>) {
    let Some(mut mark) = mark else { return };
    mark.insert("image".into(), container["Image"].clone());
    container["Longshore"] = mark.into();
}

/// The same made from two docker calls for any number of containers. `docker ps` has the engine's texts for status and image,
/// but prints ports and labels in a form that cannot be parsed; `docker inspect` has everything else. One that was removed
/// between the two calls is in the first answer only, and is not there any more.
fn composed(engine: &Engine, runs: &Runs, args: &ContainerList) -> Answer<Vec<Value>> {
    let rows = super::rows(engine, args)?;
    let objects = objects(engine, rows.iter().map(|row| row.id.clone()).collect())?;
    Ok(rows.iter().filter_map(|row| Some(container(runs, row, objects.get(&row.id)?))).collect())
}

/// Their descriptions, by id, without those that were removed meanwhile.
fn objects(engine: &Engine, ids: Vec<String>) -> Answer<HashMap<String, Value>> {
    let objects = engine.containers(&ids)?;
    Ok(objects.into_iter().filter_map(|object| Some((object["Id"].as_str()?.to_owned(), object))).collect())
}

/// One object of `/containers/json`.
fn container(runs: &Runs, row: &Row, object: &Value) -> Value {
    let labels = &object["Config"]["Labels"];
    let created = object["Created"].as_str().and_then(|time| DateTime::parse_from_rfc3339(time).ok());
    let mut listed = json!({
        "Id": row.id,
        "Names": names(row),
        "Image": row.image,
        "ImageID": object["Image"],
        "Command": command(object),
        "Created": created.map(|time| time.timestamp()),
        "Ports": ports(&object["NetworkSettings"]["Ports"]),
        "Labels": if labels.is_null() { json!({}) } else { labels.clone() },
        "State": object["State"]["Status"],
        "Status": row.status,
        "HostConfig": {"NetworkMode": object["HostConfig"]["NetworkMode"]},
        "NetworkSettings": {"Networks": networks(&object["NetworkSettings"]["Networks"])},
        "Mounts": mounts(object),
    });
    add_mark(&mut listed, runs.mark(object));
    listed
}

/// docker joins a container's names, links from others among them, with commas; none holds one.
fn names(row: &Row) -> Vec<String> {
    row.names.split(',').map(|name| format!("/{name}")).collect()
}

/// As the engine puts a command line together for its list: arguments with a blank in single quotes.
fn command(object: &Value) -> String {
    let path = object["Path"].as_str().unwrap_or_default();
    let args = object["Args"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let quoted = args.map(|arg| if arg.contains(' ') { format!("'{arg}'") } else { arg.to_owned() });
    std::iter::once(path.to_owned()).chain(quoted).collect::<Vec<_>>().join(" ")
}

/// From `{"80/tcp": [{"HostIp", "HostPort"}]}` to `[{IP, PrivatePort, PublicPort, Type}]`, sorted, because the
/// engine has no order of its own.
fn ports(ports: &Value) -> Vec<Value> {
    let mut listed = Vec::new();
    for (key, bindings) in ports.as_object().into_iter().flatten() {
        let (port, kind) = key.split_once('/').unwrap_or((key, "tcp"));
        let private: u64 = port.parse().unwrap_or(0);
        let bindings = bindings.as_array().map(Vec::as_slice).unwrap_or_default();
        if bindings.is_empty() {
            listed.push(json!({"PrivatePort": private, "Type": kind}));
        }
        for binding in bindings {
            let public: u64 = binding["HostPort"].as_str().and_then(|port| port.parse().ok()).unwrap_or(0);
            let mut port = Map::new();
            if let Some(ip) = binding["HostIp"].as_str().filter(|ip| !ip.is_empty()) {
                port.insert("IP".into(), ip.into());
            }
            port.insert("PrivatePort".into(), private.into());
            port.insert("PublicPort".into(), public.into());
            port.insert("Type".into(), kind.into());
            listed.push(Value::Object(port));
        }
    }
    sort_ports(&mut listed);
    listed
}

fn sort_ports(ports: &mut [Value]) {
    ports.sort_by_key(|port| (port["PrivatePort"].as_u64(), port["Type"].to_string(), port["IP"].to_string()));
}

/// The list leaves out of a network what only its configuration says.
fn networks(networks: &Value) -> Value {
    let mut networks = networks.clone();
    for network in networks.as_object_mut().into_iter().flat_map(Map::values_mut).filter_map(Value::as_object_mut) {
        for key in ["Links", "Aliases", "DriverOpts", "DNSNames"] {
            if let Some(value) = network.get_mut(key) {
                *value = Value::Null;
            }
        }
    }
    networks
}

/// The list does not tell where on the host a volume lies that was made for `Volumes` (`-v /data`, an image's `VOLUME`),
/// also when it came with `VolumesFrom`. Of any other mount it does.
fn mounts(object: &Value) -> Value {
    let host = &object["HostConfig"];
    let binds = host["Binds"].as_array().into_iter().flatten().filter_map(|bind| bind.as_str()?.split(':').nth(1));
    let targets = host["Mounts"].as_array().into_iter().flatten().filter_map(|mount| mount["Target"].as_str());
    let told: Vec<&str> = binds.chain(targets).map(|path| path.trim_end_matches('/')).collect();
    let volumes = object["Config"]["Volumes"].as_object();
    let mut mounts = object["Mounts"].clone();
    for mount in mounts.as_array_mut().into_iter().flatten().filter(|mount| mount["Type"] == "volume") {
        let path = mount["Destination"].as_str().unwrap_or_default().trim_end_matches('/');
        let own = volumes.is_some_and(|volumes| volumes.keys().any(|key| key.trim_end_matches('/') == path));
        let nameless = mount["Name"].as_str().is_some_and(|name| name.len() == 64);
        if !told.contains(&path) && (own || nameless) {
            mount["Source"] = "".into();
        }
    }
    if mounts.is_null() { json!([]) } else { mounts }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_take_the_lists_shape() {
        let ports = ports(&json!({
            "443/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8443"}, {"HostIp": "::", "HostPort": "8443"}],
            "53/udp": null,
        }));
        let expected = json!([
            {"PrivatePort": 53, "Type": "udp"},
            {"IP": "0.0.0.0", "PrivatePort": 443, "PublicPort": 8443, "Type": "tcp"},
            {"IP": "::", "PrivatePort": 443, "PublicPort": 8443, "Type": "tcp"},
        ]);
        assert_eq!(Value::Array(ports), expected);
    }

    #[test]
    fn a_volumes_place_is_told_as_the_list_tells_it() {
        let volume =
            |name: &str, path: &str| json!({"Type": "volume", "Name": name, "Source": "/v", "Destination": path});
        let nameless = "0".repeat(64);
        let object = json!({
            "Config": {"Volumes": {"/own/": {}, "/bound": {}}},
            "HostConfig": {"Binds": ["data:/bound:ro"], "Mounts": [{"Target": "/mounted"}]},
            "Mounts": [volume(&nameless, "/own"), volume("data", "/bound"), volume(&nameless, "/mounted"),
                volume("data", "/from"), volume(&nameless, "/from/nameless")],
        });
        let places: Vec<Value> = mounts(&object).as_array().unwrap().iter().map(|m| m["Source"].clone()).collect();
        assert_eq!(places, ["", "/v", "/v", "/v", ""]);
    }

    #[test]
    fn a_command_line_is_quoted_as_the_engine_quotes_it() {
        let object = json!({"Path": "sh", "Args": ["-c", "echo hi"]});
        assert_eq!(command(&object), "sh -c 'echo hi'");
        assert_eq!(command(&json!({"Path": "true", "Args": []})), "true");
    }

    fn list(filters: &[&str], statuses: &[&str], last: Option<u32>) -> ContainerList {
        let texts = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let (filters, statuses) = (texts(filters), texts(statuses));
        ContainerList { all: true, filters, statuses, last, quiet: false, no_trunc: false }
    }

    #[test]
    fn a_request_has_the_parameters_that_dockers_client_sends() {
        let sent = parameters(&list(&["Label= a=b ", "label=c", "name=x"], &["exited"], Some(3))).unwrap();
        let filters = r#"{"label":{"a=b":true,"c":true},"name":{"x":true},"status":{"exited":true}}"#;
        assert_eq!(sent, [("all", "1".into()), ("limit", "3".into()), ("filters", filters.into())]);
        assert_eq!(parameters(&list(&[], &[], Some(0))).unwrap(), [("all", "1".into())]);
        assert_eq!(parameters(&list(&["name"], &[], None)), None, "docker refuses it in its own words");
    }

    #[test]
    fn a_containers_own_name_is_told_from_those_of_links() {
        let brief =
            brief(&json!({"Id": "a", "Names": ["/other/peer", "/web"], "State": "exited", "Labels": {"b": "c"}}));
        let expected =
            json!({"Id": "a", "Name": "/web", "State": {"Status": "exited"}, "Config": {"Labels": {"b": "c"}}});
        assert_eq!(brief, expected);
    }
}
