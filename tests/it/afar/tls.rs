//! An engine behind TLS, which takes only clients that have a certificate.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::json;

use super::{job, tree};
use crate::support::real::{Real, python_file};
use crate::support::wait_until;

/// The engine of this machine behind TLS, until this is dropped.
struct Front {
    process: Child,
    url: String,
    /// Has `ca.pem`, and `cert.pem` and `key.pem` of a client.
    certificates: PathBuf,
}

impl Front {
    fn of(real: &Real) -> Self {
        let certificates = real.write("certs/about", "").parent().unwrap().to_owned();
        certify(&certificates, "ca", "ca-key", &[]);
        let own = ["-CA", "ca.pem", "-CAkey", "ca-key.pem", "-addext", "basicConstraints=CA:FALSE"];
        let local = ["-addext", "subjectAltName=IP:127.0.0.1"];
        certify(&certificates, "server", "server-key", &[&own[..], &local].concat());
        certify(&certificates, "cert", "key", &own);
        let socket = real.docker_says(&["context", "inspect", "default", "--format", "{{.Endpoints.docker.Host}}"]);
        let mut command = Command::new("python3");
        command.arg(python_file("tls_front.py")).arg(&certificates).arg(socket.strip_prefix("unix://").unwrap());
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut port = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { process, url: format!("tcp://127.0.0.1:{}", port.trim()), certificates }
    }

    fn file(&self, name: &str) -> String {
        self.certificates.join(name).to_str().unwrap().to_owned()
    }

    /// Leads docker to it by variables.
    fn lead(&self, real: &mut Real, certificates: &Path) {
        real.set("DOCKER_HOST", &self.url);
        real.set("DOCKER_TLS_VERIFY", "1");
        real.set("DOCKER_CERT_PATH", certificates);
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Makes a key, and a certificate for it.
fn certify(dir: &Path, name: &str, key: &str, more: &[&str]) {
    let new = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
    let mut command = Command::new("openssl");
    command.current_dir(dir).args(new).args(["-subj", &format!("/CN={name}"), "-out", &format!("{name}.pem")]);
    let made = command.args(["-keyout", &format!("{key}.pem")]).args(more).output().expect("openssl is needed");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

#[test]
fn a_run_behind_tls_is_copied_whether_a_context_or_variables_lead_to_it() {
    let here = Real::new();
    let front = Front::of(&here);
    let endpoint = format!(
        "host={},ca={},cert={},key={}",
        front.url,
        front.file("ca.pem"),
        front.file("cert.pem"),
        front.file("key.pem")
    );
    let config = here.write("config/about", "").parent().unwrap().to_str().unwrap().to_owned();
    let real = Real::at(vec![("DOCKER_CONFIG".to_owned(), config)]);
    real.docker_says(&["context", "create", "behind-tls", "--docker", &endpoint]);
    let copied = ["--context", "behind-tls", "--wait", "--json"];
    let by_context = real.run(&job(&real, "by-context", &copied)).code(0).json();

    let mut other = Real::new();
    front.lead(&mut other, &front.certificates);
    let by_variables = other.run(&job(&other, "by-variables", &["--wait", "--json"])).code(0).json();

    for (real, ended, output) in [(&real, &by_context, "by-context"), (&other, &by_variables, "by-variables")] {
        assert_eq!((&ended["outcome"], &ended["log"]), (&json!("succeeded"), &json!("complete")), "{ended:#}");
        let id = ended["id"].as_str().unwrap();
        let account = real.run(&["exec", "inspect", id, "--json"]).code(0).json();
        let mounts = account["Mounts"].as_array().unwrap();
        assert!(mounts.iter().all(|mount| mount["Type"] == "volume"), "{account:#}");
        assert_eq!(tree(&real.path(output)).len(), 6);
        wait_until("the container is gone", || real.containers().is_empty());
    }
}

#[test]
fn a_run_behind_tls_is_reached_from_a_shell_without_the_variables() {
    let mut real = Real::new();
    let front = Front::of(&real);
    // The supervisor of a job has another current directory.
    front.lead(&mut real, Path::new("certs"));
    let id = real.run(&job(&real, "out", &["-e", "PAUSE=600"])).code(0).id();
    wait_until("the program has begun", || real.says(&id, "line 0\n"));
    for key in ["DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"] {
        real.unset(key);
    }
    let account = real.run(&["exec", "inspect", &id, "--json"]).code(0).json();
    assert_eq!(account["State"]["Running"], json!(true), "{account:#}");
    real.run(&["exec", "stop", &id]).code(0);
    assert_eq!(real.wait(&id).0["outcome"], "cancelled");
    // With the variables and without a host, docker does not use the socket.
    real.set("DOCKER_TLS_VERIFY", "1");
    real.set("DOCKER_CERT_PATH", "certs");
    let lost = real.run(&["image", "list"]).code(1);
    assert!(lost.stderr.contains("tcp://localhost:2376"), "{lost:?}");
    assert_eq!(std::fs::metadata(real.path("out/result.bin")).unwrap().len(), 256_000);
}
