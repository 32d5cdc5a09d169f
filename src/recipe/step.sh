# The script that longshore runs inside a build: `sh step.sh mounted|copied WORD...`. Each word is one step;
# they run in order. The script is the same for every recipe. The user's text is in files beside it and is
# read as data, except commands.sh, which is the user's own shell text.
#
# mounted: the files beside it and the caches are mounts, which are not part of the image (BuildKit).
# copied:  they are files of the image, and this script removes them (the legacy builder).
#
# Its own exit codes: 90 no apt-get, 91 not root, 92 no python3, 93 no pip, 94 uv cannot be used, 95 the packages of an
# appended step cannot be added to those of the steps before. Any other exit code is
# that of the program that failed. Its last line then begins with "longshore: " and says which program that was;
# recipe/failure.rs reads it.
# shellcheck shell=sh
set -eu
umask 022
here=${0%/*}
how=$1
shift

die() {
    trap - EXIT
    printf 'longshore: %s\n' "$2" >&2
    exit "$1"
}

# What failed without its own message: a full disk, a program that is missing.
ended() {
    code=$?
    [ "$code" = 0 ] || die "$code" "step ${step:-start} ended with exit code $code"
}
trap ended EXIT

# The bundle is made even where ca-certificates is not installed; if apt brings that package later,
# its own update reads our file from /usr/local/share and makes the bundle anew with it.
step_ca() {
    [ "$(id -u)" = 0 ] || die 91 'the base image does not run as root, so its CA certificates cannot be changed'
    ours=/usr/local/share/ca-certificates/longshore.crt
    bundle=/etc/ssl/certs/ca-certificates.crt
    if cmp -s "$here/ca.pem" "$ours" 2>/dev/null && [ -s "$bundle" ]; then
        return # the base image was made by us, with the same certificates
    fi
    mkdir -p "${ours%/*}" "${bundle%/*}"
    cat "$here/ca.pem" >"$ours"
    if command -v update-ca-certificates >/dev/null 2>&1; then
        update-ca-certificates
        return
    fi
    if [ ! -e "$bundle" ]; then # where Fedora and Alpine keep theirs
        for other in /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem; do
            if [ -f "$other" ]; then
                cat "$other" >"$bundle"
                break
            fi
        done
    fi
    if [ -s "$bundle" ]; then
        echo >>"$bundle" # its last line may have no end
    fi
    cat "$ours" >>"$bundle"
}

# The steps before are those of the last image, and the lists have all packages so far. This step fails unless it leaves what a
# build from nothing leaves, and also if it cannot tell. longshore then builds from nothing. The files of the base image are
# in the directory `base`.
step_appended() {
    appended=--appended
}

anew() {
    printf 'note: %s\n' "$1" >&2
    die 95 'the packages cannot be added to those of the last image'
}

step_recommends() {
    recommends=--install-recommends
}

step_apt() {
    command -v apt-get >/dev/null 2>&1 ||
        die 90 'the base image has no apt-get: apt packages and updates need a base image of Debian or Ubuntu'
    [ "$(id -u)" = 0 ] || die 91 'the base image does not run as root, so apt-get cannot install packages in it'

    # The image's own configuration of apt is not changed. APT_CONFIG is read first, and holds what has to
    # be different for this step.
    : >"$here/apt.conf"
    export APT_CONFIG="$here/apt.conf"
    if [ "$how" = mounted ]; then
        without_docker_clean
    fi
    if [ -f "$here/apt-mirror.txt" ]; then
        through_mirror
    fi

    set --
    if [ -f "$here/apt.txt" ]; then
        while IFS= read -r package; do
            set -- "$@" "$package"
        done <"$here/apt.txt"
    fi
    # Error-Mode=any: otherwise an index that cannot be fetched is only a warning, and old lists are used.
    apt update -o APT::Update::Error-Mode=any -o Acquire::Retries=3
    if [ -f "$here/update.txt" ]; then
        apt upgrade --with-new-pkgs
    fi
    if [ -n "${appended:-}" ]; then
        expect_packages "$@"
    fi
    if [ $# -gt 0 ]; then
        apt install "${recommends:---no-install-recommends}" -- "$@"
    fi
    if [ -n "${appended:-}" ]; then
        check_packages
    fi
    if [ "$how" = copied ]; then
        apt clean
        rm -rf /var/lib/apt/lists/*
    fi
}

# Writes into the file `expected` which packages a build from nothing would leave: apt simulates it on those of the base image.
# What is installed by now has to be among them.
expect_packages() {
    apt-get -q -y -s -o Dir::State::Status="$here/base/var/lib/dpkg/status" -o Dir::Cache::pkgcache= \
        -o Dir::Cache::srcpkgcache= -o APT::Cmd::Pattern-Only=true install \
        "${recommends:---no-install-recommends}" -- "$@" >"$here/simulated" ||
        anew 'apt-get cannot tell what it would install from nothing'
    packages --admindir="$here/base/var/lib/dpkg" >"$here/of-base"
    # Inst NAME[:ARCH] [OLD] (VERSION RELEASE... [ARCH]), Remv NAME[:ARCH] [OLD]
    awk -v native="$(dpkg --print-architecture)" '
        function key(name, arch) {
            sub(/:.*/, "", name)
            return (arch == native || arch == "all") ? name : name ":" arch
        }
        FNR == NR { split($1, part, ":"); state[key(part[1], part[2])] = $0; next }
        $1 == "Inst" && match($0, /\[[a-z0-9-]+\]\)/) {
            arch = substr($0, RSTART + 1, RLENGTH - 3)
            version = substr($3, 1, 1) == "(" ? $3 : $4
            name = $2
            sub(/:.*/, "", name)
            state[key(name, arch)] = name ":" arch " " substr(version, 2)
        }
        $1 == "Remv" { split($2 ":" native, part, ":"); delete state[key(part[1], part[2])] }
        END { for (each in state) print state[each] }
    ' "$here/of-base" "$here/simulated" | LC_ALL=C sort >"$here/expected"
    packages >"$here/before"
    LC_ALL=C comm -23 "$here/before" "$here/expected" >"$here/surplus"
    if [ -s "$here/surplus" ]; then
        read -r package version <"$here/surplus"
        anew "a build from nothing would not install $package in version $version"
    fi
}

check_packages() {
    packages >"$here/after"
    cmp -s "$here/after" "$here/expected" || anew 'apt-get installed other packages than a build from nothing would'
    # pip looks at what it finds, and a build from nothing calls it after apt.
    if [ -f "$here/uv.py" ]; then
        for package in $(LC_ALL=C comm -13 "$here/before" "$here/after" | cut -d ' ' -f 1); do
            if dpkg-query -L "$package" | grep -q -e '^/usr/lib/python' -e '^/usr/bin/python'; then
                anew "$package has files of Python, which are there before pip in a build from nothing"
            fi
        done
    fi
}

# The installed packages, a line each: NAME:ARCHITECTURE VERSION
packages() {
    dpkg-query "$@" -W -f '${db:Status-Status} ${Package}:${Architecture} ${Version}\n' |
        sed -n 's/^installed //p' | LC_ALL=C sort
}

apt() {
    action=$1
    shift
    # A question about a changed configuration file would end the build, so the image's file is kept. A name
    # without a package is an error and not a pattern: `gzi.` would install every package that matches it.
    apt-get -q -y -o Dpkg::Use-Pty=0 -o APT::Keep-Downloaded-Packages=true -o APT::Cmd::Pattern-Only=true \
        -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$action" "$@" ||
        die $? "apt-get $action ended with exit code $?"
}

# docker-clean (in every official image) empties the cache after each call.
without_docker_clean() {
    mkdir "$here/apt.conf.d"
    for part in /etc/apt/apt.conf.d/*; do
        case $part in
        */docker-clean | *'*') ;;
        *) ln -s "$part" "$here/apt.conf.d/" ;;
        esac
    done
    echo "Dir::Etc::Parts \"$here/apt.conf.d\";" >>"$here/apt.conf"
}

# The mirror takes the place of the host of every Debian and Ubuntu archive; the path below it stays.
through_mirror() {
    read -r mirror <"$here/apt-mirror.txt"
    host='(deb|security|ftp|ftp\.[a-z]+|http)\.(debian|ubuntu)\.(org|com)|([a-z-]+\.)?(archive|security|ports)\.ubuntu\.com'
    mkdir "$here/sources.list.d"
    for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
        if [ -f "$list" ]; then
            sed -E "s#https?://($host)(:[0-9]+)?/#$mirror/#g" "$list" >"$here/sources.list.d/${list##*/}"
        fi
    done
    echo "Dir::Etc::SourceList \"/dev/null\"; Dir::Etc::SourceParts \"$here/sources.list.d\";" >>"$here/apt.conf"
}

# What uv cannot install is left to pip.
step_auto() {
    installer=auto
}

step_uv() {
    installer=uv
}

step_uncompiled() {
    uncompiled=--no-compile
}

step_pip() {
    command -v python3 >/dev/null 2>&1 ||
        die 92 'the base image has no python3: add "python3 python3-pip" to the apt packages, or use a base image that has it'
    python3 -c 'import pip' 2>/dev/null ||
        die 93 'python3 in the base image has no pip: add "python3-pip" to the apt packages, or use a base image that has it'
    if [ -n "${installer:-}" ] && with_uv; then
        return
    fi
    set -- ${uncompiled:-} --requirement "$here/requirements.txt"
    if [ -f "$here/constraints.txt" ]; then
        set -- "$@" --constraint "$here/constraints.txt"
    fi
    [ -z "${appended:-}" ] || anew 'only uv can add packages'
    python3 -m pip install "$@" || die $? "pip ended with exit code $?"
}

# In an appended step without new packages for pip: a build from nothing would install the same ones after those of apt.
step_check() {
    step_pip
}

with_uv() {
    code=0
    python3 "$here/uv.py" ${uncompiled:-} ${appended:-} || code=$?
    if [ "$code" != 0 ]; then
        [ -z "${appended:-}" ] || anew 'uv did not add the packages'
        [ "$installer" = auto ] || die "$code" "uv ended with exit code $code"
        echo 'note: pip installs the packages' >&2
        return 1
    fi
}

# One shell runs all commands, so that a `cd` or a variable of one holds for the next. The script that it gets
# is the user's, with a mark before each command. The number of the last mark says which command failed.
step_commands() {
    code=0
    if mark_commands 2>/dev/null; then
        sh -e "$marked/commands.sh" || code=$?
        [ "$code" = 0 ] || die "$code" "$(which_failed)"
    else
        sh -e "$here/commands.sh" || code=$?
        [ "$code" = 0 ] || die "$code" "the commands ended with exit code $code"
    fi
}

# Fails where nothing can be written, and where sh has no `-n`, which reads a script without running it.
mark_commands() {
    sh -n -c 'exit 1' || return 1
    for marked in "$here/marked" /dev/shm/longshore; do
        mkdir -m 700 "$marked" && break
    done || return 1
    # A mark changes neither $? nor $_. It is not in the trace of `set -x`. It is on the line of the command, so
    # that messages of sh have the line numbers of the user's script.
    define="longshore_mark() { echo \"\$1\" >|'$marked/at'; longshore_last=\$3; return \"\$2\"; }; "
    commands=0 ends=yes heredoc=no
    while IFS= read -r line || [ -n "$line" ]; do
        mark=
        case $ends${line#"${line%%[!	 ]*}"} in
        yes | yes'#'*) ;; # blank, or a comment
        *)
            if [ $ends = yes ]; then
                commands=$((commands + 1))
                mark="$define{ longshore_mark $commands \"\$?\" \"\${_-}\" && : \"\$longshore_last\"; } 2>/dev/null; "
                define=
            fi
            printf '%s\n' "$line" >>"$marked/$commands"
            printf '%s\n' "$line" >>"$marked/read"
            if command_ends; then ends=yes; else ends=no; fi
            ;;
        esac
        printf '%s%s\n' "$mark" "$line" >>"$marked/commands.sh"
    done <"$here/commands.sh"
}

# Whether the lines so far are whole commands. What is not certain is no end, and is marked as one command.
command_ends() {
    case $line in
    *\\) return 1 ;;
    *'<<'*) heredoc=yes ;;
    esac
    sh -n "$marked/read" || return 1
    if [ $heredoc = yes ]; then # sh takes the end of the file for the end of a here-document, but no lone `)`
        { cat "$marked/read" && echo ')'; } >"$marked/probe"
        ! sh -n "$marked/probe" || return 1
    fi
}

which_failed() {
    number=0
    read -r number <"$marked/at" 2>/dev/null || :
    if [ "$code" = 2 ] && [ $ends = no ] && [ "$number" = $((commands - 1)) ]; then
        sh -n "$here/commands.sh" 2>&1 | {
            read -r why
            why=${why#"$here/commands.sh: "}
            echo "sh cannot read the commands: line ${why#line }"
        }
    elif [ "$number" = 0 ]; then
        echo "the commands ended with exit code $code"
    else
        {
            IFS= read -r text
            read -r more && text="$text ..." || :
        } <"$marked/$number"
        if [ "$commands" = 1 ]; then which='the command'; else which="command $number of $commands"; fi
        printf '%s ended with exit code %s: %s\n' "$which" "$code" "$text"
    fi
}

# Debian's and Ubuntu's own Python refuses to be installed into (PEP 668) unless told otherwise.
# These variables also apply to the user's commands, and are not kept in the image.
export DEBIAN_FRONTEND=noninteractive PIP_BREAK_SYSTEM_PACKAGES=1 PIP_ROOT_USER_ACTION=ignore
export PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_PROGRESS_BAR=off
if [ -f "$here/pip-index-url.txt" ]; then
    read -r PIP_INDEX_URL <"$here/pip-index-url.txt"
    export PIP_INDEX_URL
    case $PIP_INDEX_URL in
    http://*) # pip passes over an index without TLS unless its host is named
        host=${PIP_INDEX_URL#http://}
        export PIP_TRUSTED_HOST="${host%%/*}"
        ;;
    esac
fi
if [ -d "$here/pip-cache" ]; then
    export PIP_CACHE_DIR="$here/pip-cache"
else
    export PIP_NO_CACHE_DIR=1
fi

cd /
for step in "$@"; do
    "step_$step"
done
if [ "$how" = copied ]; then # without root they have to stay
    rm -rf "$here" 2>/dev/null || :
fi
