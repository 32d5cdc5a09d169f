# Unpacks the files of a run, and starts its program as its user. Runs as root, because only root can make the directories
# that belong to the user.
#   $1 UID[:GID]   $2 the directory for the output, or -   the rest: the program
user=$1 output=$2
shift 2
die() {
    echo "longshore: $*" >&2
    exit 125
}
for tool in tar gzip cat; do
    command -v $tool >/dev/null || die "the image has no $tool, which unpacks the source on a node of a swarm"
done
cat /run/longshore/* | tar -xzpf - -C / || die "the source could not be unpacked"
uid=${user%%:*}
case $user in
*:*) gid=${user#*:} ;;
*) gid=$(id -g "$uid" 2>/dev/null) || gid=0 ;;
esac
if [ "$output" != - ]; then
    mkdir -p "$output" && chown "$uid:$gid" "$output" && ln -s "$output" /app/output || die "there is no room for the output"
fi
cd /app || exit 125
[ "$uid:$gid" = 0:0 ] && exec "$@"
if setpriv --reuid "$uid" --regid "$gid" --clear-groups true 2>/dev/null; then
    exec setpriv --reuid "$uid" --regid "$gid" --clear-groups "$@"
fi
command -v python3 >/dev/null || die "the image has neither setpriv nor python3, which start the program as its user"
exec python3 -c 'import os, sys
uid, gid, program = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
os.setgroups([])
os.setgid(gid)
os.setuid(uid)
try:
    os.execvp(program[0], program)
except OSError as error:
    print(f"longshore: {program[0]}: {error.strerror}", file=sys.stderr)
    sys.exit(127 if isinstance(error, FileNotFoundError) else 126)' "$uid" "$gid" "$@"
