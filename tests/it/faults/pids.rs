//! Process ids come round again. Nothing of longshore's trusts one.

use crate::support::Ran;
use crate::support::fake::Fake;
use crate::support::skipped;

/// In a pid namespace with few ids, a stranger's process gets the ids of a supervisor and of a client that were killed.
const SCRIPT: &str = r#"
echo 400 2>/dev/null >/proc/sys/kernel/pid_max || exit 77
[ "$(cat /proc/sys/kernel/pid_max)" = 400 ] || exit 77
# The first 300 ids are given out once only.
until [ "$(sh -c 'echo $$')" -gt 300 ]; do :; done
find_pid() { grep -l -z -x -e "$1" /proc/[0-9]*/cmdline 2>/dev/null | cut -d / -f 3 | head -n 1; }
run() { "$longshore" exec run --image base --src src --main "$1"; }
id=$(run gated.py) || exit 90
until [ -e "state/longshore/run/$id/begun.json" ] && grep -q on "state/longshore/run/$id/log"; do sleep 0.02; done
supervisor=$(find_pid __supervise) client=$(cat "engine/clients/longshore-$id")
[ -n "$supervisor" ] && [ -n "$client" ] || exit 91
kill -KILL "$supervisor" "$client"
strangers=
take() {
    while :; do
        sleep 1000 & stranger=$!
        [ "$stranger" = "$1" ] && break
        kill -KILL "$stranger"; wait "$stranger" 2>/dev/null
    done
    strangers="$strangers $stranger"
}
take "$supervisor"
take "$client"
"$longshore" exec list --json >before || exit 92
"$longshore" exec stop -t 5 "$id" >/dev/null || exit 93
"$longshore" exec wait --json "$id" >after
"$longshore" exec forget "$id" >/dev/null || exit 94
for stranger in $strangers; do
    [ "$(tr '\0' ' ' <"/proc/$stranger/cmdline")" = "sleep 1000 " ] || exit 95
done
kill -KILL $strangers
echo "$strangers"
"#;

#[test]
fn a_stranger_with_the_pid_of_a_killed_supervisor_is_left_alone_and_proves_nothing() {
    let fake = Fake::new();
    fake.write("src/gated.py", fake.gated("echo on", "exit 0"));
    let namespace =
        ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", r#"longshore=$0; eval "$script""#];
    let mut command = fake.through::<&str>(&namespace, &[]);
    let ran = Ran::from(command.env("script", SCRIPT).output().unwrap());
    if ran.code == 77 || ran.stderr.starts_with("unshare: unshare failed") {
        return skipped("this machine has no pid namespace with a limit of its own");
    }
    let ran = ran.code(0);
    assert_eq!(ran.stdout.split_whitespace().count(), 2, "{ran:?}");
    let read =
        |name: &str| serde_json::from_slice::<serde_json::Value>(&std::fs::read(fake.path(name)).unwrap()).unwrap();
    let before = read("before")[0].take();
    assert_eq!((&before["status"], &before["reason"]), (&"running".into(), &"its supervisor was killed".into()));
    assert_eq!((&read("after")["outcome"], &read("after")["exitCode"]), (&"cancelled".into(), &143.into()));
}
