#!/usr/bin/env bash
# Every check that a change has to pass, in one command. See --help.
set -Eeuo pipefail

usage() {
    cat <<'HELP'
usage: scripts/test.sh [--fast] [--without LANGUAGE ...]

Checks formatting, lints, licences, documentation and the packages' dependencies, runs the demo
once, and runs all tests; those of behaviour once on SQLite and once on a PostgreSQL server that is
started for it. Works from any directory and on a fresh clone; what is missing is
installed where that is possible (apt-get as root, rustup), otherwise the script says what to install.

  --fast    leave out the release build with its run of the demo, and the documentation
  --without LANGUAGE  leave out the examples in that language (python, go, typescript, browser),
                      where it cannot be had
  --help    this text

Environment:
  SEALPOST_KILLS      rounds of the kill -9 proof (default 10; scripts/prove.sh takes 100)
  SEALPOST_POSTGRES_KILLS  the same for the server of the database (default 2; 20 there)
  SEALPOST_CHROMIUM   the browser for the tests of the pages (default the system's own)
  CARGO_TARGET_DIR    where to build, as for cargo itself
HELP
}

fast=no
without=()
while [ $# -gt 0 ]; do
    case $1 in
        --fast) fast=yes ;;
        --without)
            [ $# -ge 2 ] || { usage >&2 && exit 2; }
            without+=("$2")
            shift
            ;;
        --help | -h) usage && exit 0 ;;
        *) usage >&2 && exit 2 ;;
    esac
    shift
done

cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec </dev/null
# shellcheck source=scripts/prepare.sh
. scripts/prepare.sh

# Whether the examples in a language are to be left out.
is_left_out() {
    [[ " ${without[*]} " == *" $1 "* ]]
}

for language in "${without[@]}"; do
    [[ " ${example_languages[*]} " == *" $language "* ]] ||
        give_up "there are no examples in $language, but in: ${example_languages[*]}"
done
languages=()
skipped=()
for language in "${example_languages[@]}"; do
    if is_left_out "$language"; then
        skipped+=(--skip "examples::$language")
    else
        languages+=("$language")
    fi
done

# The names of the packages that $1 is built from, one a line.
dependencies() {
    cargo tree --edges normal --prefix none "$@" | cut -d ' ' -f 1 | sort -u
}

# A bot author must never build the server.
refuse_server_packages() {
    local packages found
    packages=$(dependencies --package "$1")
    found=$(grep -E '^(axum|sqlx)($|-)' <<<"$packages" || true)
    [ -z "$found" ] || give_up "$1 depends on $(echo "$found" | tr '\n' ' ')"
    echo "$1: $(wc -l <<<"$packages") packages, neither axum nor sqlx"
}

step "tools"
require_rust
require_system_packages
require_component fmt rustfmt
require_component clippy clippy
rustc --version
python3 --version
strace --version | head -n 1

step "formatting"
cargo fmt --all --check

step "lints"
cargo clippy --workspace --all-targets --all-features -- -D warnings
cargo clippy --package sealpost-sdk --no-default-features --all-targets -- -D warnings
cargo clippy --package sealpost-sdk --no-default-features --features dropbox --all-targets -- -D warnings

step "dependencies"
refuse_server_packages sealpost-sdk
refuse_server_packages sealpost-examples
echo "sealpost-sdk without default features: $(dependencies --package sealpost-sdk \
    --no-default-features | wc -l) packages"
if cargo deny --version >/dev/null 2>&1; then
    # Advisories need the network, and change without any change here: they are not part of this.
    cargo deny --all-features check bans licenses sources
else
    unchecked="licences and sources (deny.toml), for which cargo-deny is not installed"
    echo "cargo-deny is not installed, so deny.toml was not checked;" \
        "to have it checked: cargo install --locked cargo-deny"
fi

if [ "$fast" = no ]; then
    step "documentation"
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --all-features

    step "demo"
    cargo run --release -- demo
fi

step "Python and Node.js for the interop tests and for generated clients"
prepare_interop
prepare_node
prepare_clients

# The file; that it is what the code says is one of the tests.
step "the OpenAPI document"
lint_openapi --config tests/clients/redocly.yaml openapi.yaml

step "examples in other languages"
[ ${#without[@]} -eq 0 ] || echo "left out, as asked: ${without[*]}"
prepare_examples "${languages[@]}"

step "PostgreSQL for the tests"
prepare_postgres

step "Chromium for the tests of the pages"
prepare_chromium

# What the examples do in each language, which their tests write down row by row.
examples_table="$(target_directory)/tmp/examples.txt"
rm -f "$examples_table"

# One run for everything else: the rules of the house (tests/architecture.rs), the OpenAPI document,
# what a bare `cargo test` ignores (the interop tests, the generated clients and the examples in other
# languages, for which it has no packages, the pages', for which it has no browser, and what needs a
# PostgreSQL server: every store's conformance, the comparison of the schemas), and the kill -9 proofs.
step "tests"
cargo test --workspace --all-features --no-fail-fast --lib --bins --tests --examples \
    -- --include-ignored "${skipped[@]}"

step "the OpenAPI document in version 3.0"
reduced="$(target_directory)/openapi-3.0.json"
"$(target_directory)/debug/sealpost" openapi --as 3.0 >"$reduced"
lint_openapi --extends spec "$reduced"

# What is left out here, by name, is about the SQLite file, or was not different the first time.
sqlite_only=(
    --skip durability::  # the file's system calls, and kills of each database
    --skip storage::  # conformance, which the first run did on every store
    --skip architecture:: --skip clients:: --skip documents:: --skip interop:: --skip openapi::
    --skip schema_parity::
    --skip keyservice::page:: --skip try_it::page:: --skip console::page::  # what a browser sees is the same
    --skip backup::  # which says itself which database it is about
    --skip containers:: --skip markdown:: --skip proxies:: --skip systemd::
    --skip examples::  # and what clients in other languages see
    --skip the_status_counts_the_commits  # of everything; on a server those of messages are counted
    --skip a_full_disk_claims_nothing  # by storage.max_bytes
    --skip a_file_that_is_no_database_is_found
    --skip settings_come_from_a_file_and_the_environment  # looks for the file
    --skip its_data_is_its_owners_alone  # the modes of the files
    # Its clock runs as fast as it can, and so faster than a server answers.
    --skip what_was_kept_ends_in_time_where_it_was_switched_off_again
)
step "behaviour on PostgreSQL"
# The whole workspace again: a package alone has other features of its dependencies, and would be
# built anew. So the SDK's own tests run along, which take a moment.
SEALPOST_TEST_STORE=postgres cargo test --workspace --all-features --no-fail-fast --test main \
    -- --include-ignored "${sqlite_only[@]}"

step "documentation tests"
cargo test --workspace --all-features --doc

close_step
printf '\nwhat the examples do in each language:\n\n'
cat "$examples_table"
[ ${#without[@]} -eq 0 ] || printf '\nleft out: the examples in %s\n' "${without[*]}"
[ -z "${unchecked:-}" ] || printf '\nnot checked: %s\n' "$unchecked"
printf '\nall checks passed in %d s\n' "$SECONDS"
