//! What the tests of other machines stand on: that `tools/nodes` makes machines that have nothing of this one.

use crate::support::real::Real;
use crate::support::remote::Nodes;

#[test]
fn a_node_behind_ssh_has_the_image_and_none_of_the_callers_files() {
    let here = Nodes::ssh().world(1);
    assert_eq!(here.docker_says(&["info", "--format", "{{.Name}}"]), "longshore-remote");
    let file = here.write("here/file", "here");
    let volume = format!("{}:/there", file.parent().unwrap().display());
    let listed = here.docker_says(&["run", "--rm", "--volume", &volume, &Real::base(), "ls", "-A", "/there"]);
    assert_eq!(listed, "");
}

#[test]
fn three_nodes_are_a_swarm_and_one_can_be_cut_off() {
    let nodes = Nodes::own("swarm");
    let manager = nodes.world(1);
    let status = || manager.docker_says(&["node", "ls", "--format", "{{.Hostname}} {{.Status}}"]);
    let ready = "longshore-swarm-1 Ready\nlongshore-swarm-2 Ready\nlongshore-swarm-3 Ready";
    assert_eq!(status(), ready);
    nodes.line(3, "down");
    crate::support::wait_until("the third node is down", || status() == ready.replace("3 Ready", "3 Down"));
    nodes.line(3, "up");
    nodes.engine(2, "crash");
    nodes.engine(2, "start");
    crate::support::wait_until("all nodes are ready", || status() == ready);
    std::fs::write(nodes.shared().join("file"), "shared").unwrap();
    let volume = format!("{0}:{0}", nodes.shared().display());
    let said = nodes.world(2).docker_says(&[
        "run",
        "--rm",
        "-v",
        &volume,
        &Real::base(),
        "ls",
        nodes.shared().to_str().unwrap(),
    ]);
    assert_eq!(said, "file");
}
