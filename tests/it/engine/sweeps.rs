//! A sweep on a real engine.

use serde_json::{Value, json};

use crate::support::real::Real;
use crate::support::schema;

#[test]
fn each_run_of_a_sweep_writes_its_own_results_from_its_own_parameters() {
    let real = Real::new();
    let source = real.source(concat!(
        "import json, os, sys\n",
        "rate, seed, text = sys.argv[1:]\n",
        "result = {'rate': rate, 'seed': seed, 'text': text, 'env': os.environ['SEED'],\n",
        "    'input': open('data/numbers').read()}\n",
        "json.dump(result, open('output/result.json', 'w'))\n",
        "print('rate', rate, 'seed', seed)\n",
        "raise SystemExit(int(seed) % 3)\n",
    ));
    for seed in 1..=3 {
        real.write(&format!("in/{seed}/numbers"), seed.to_string());
    }
    let at = |path: &str| real.path(path).to_str().unwrap().to_owned();
    let (input, output) = (at("in/{seed}"), at("results/{rate}-{seed}"));
    let flags = ["--each", "rate=0.1,a b", "--each", "seed=1..3", "--input", &input, "--output", &output];
    let more = ["-e", "SEED={seed}", "--wait", "--json", "--", "{rate}", "{seed}", "{{\"n\": {seed}}}"];
    let ran = real.run(&real.run_args(&source, &[&flags[..], &more].concat())).code(1);
    let swept = schema::validated("exec-sweep", ran.json());
    assert_eq!(swept["success"], json!(false));
    let mut jobs = swept["jobs"].as_array().unwrap().iter();
    for rate in ["0.1", "a b"] {
        for seed in 1..=3_i64 {
            let job = jobs.next().unwrap();
            assert_eq!(job["parameters"], json!({"rate": rate, "seed": seed.to_string()}));
            assert_eq!(job["exitCode"], json!(seed % 3));
            let log = real.log(job["exec_id"].as_str().unwrap());
            assert_eq!(String::from_utf8(log).unwrap(), format!("rate {rate} seed {seed}\n"));
            let file = real.path(&format!("results/{rate}-{seed}/result.json"));
            let result: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
            let (seed, text) = (seed.to_string(), format!("{{\"n\": {seed}}}"));
            assert_eq!(result, json!({"rate": rate, "seed": seed, "text": text, "env": seed, "input": seed}));
        }
    }
    assert_eq!(jobs.next(), None);
    let group = swept["group"].as_str().unwrap();
    let codes = real.run(&["exec", "wait", "--group", group]).code(1).stdout;
    let codes: Vec<&str> = codes.lines().map(|line| line.split_once(' ').unwrap().1).collect();
    assert_eq!(codes, ["1", "2", "0", "1", "2", "0"]);
    real.run(&["exec", "forget", "--group", group]).code(0);
    assert_eq!(real.containers(), Vec::<String>::new());
}
