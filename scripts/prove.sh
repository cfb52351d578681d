#!/usr/bin/env bash
# The long proofs: what scripts/test.sh runs in small, for as long as it takes. See --help.
set -Eeuo pipefail

usage() {
    cat <<'HELP'
usage: scripts/prove.sh [PROOF ...]

Runs the named proofs, or all of them:

  kills       kill -9 in a stream of posts, a hundred rounds, and the power cut
  postgres-kills  kill -9 of PostgreSQL amid posts and readers, twenty rounds
  sockets     ten thousand idle sockets: memory of each, and delivery beside an echo
  simulation  readers that come and go at random, two hundred times
  hushnet     HushNet's senders and readers for a minute each on both databases, and two thousand
              sockets
  keyservice  drop boxes: 20,000 guesses, of which none is accepted, whether time tells anything, and
              the memory that a file of 100 MB takes; each for both versions
  malformed   200,000 malformed requests and frames
  schema      40,000 requests made up from the OpenAPI document: no answer but those that it allows
  broadcast   one text to ten thousand people, of whom some have signed in again
  fuzz        ten minutes of fuzzing for each target in fuzz/
  properties  the SDK's properties with many more cases than in an ordinary test run
  book        the manual as a book, by mdbook

Environment:
  SEALPOST_KILLS     rounds of kill -9 (default 100)
  SEALPOST_POSTGRES_KILLS  rounds of kill -9 of PostgreSQL (default 20)
  SEALPOST_SEED      repeats a run: each one prints its own
  SEALPOST_SOCKETS   sockets (default 10000), for SEALPOST_SOCKET_SECONDS (default 40)
  SEALPOST_SIMULATIONS  runs of SEALPOST_SIMULATION_STEPS steps (default 200 of 300)
  SEALPOST_HUSHNET_SECONDS  time for each (default 60)
  SEALPOST_HUSHNET_SOCKETS  sockets that are dropped (default 2000)
  SEALPOST_GUESSES   secrets that are tried on a drop box (default 20000)
  SEALPOST_TIMING_TRIES  answers that are measured of each kind (default 10000)
  SEALPOST_MALFORMED requests and frames (default 200000)
  SEALPOST_PHASES    what schemathesis does to make requests up (default fuzzing; schema also takes
                     its examples and its coverage)
  SEALPOST_SCHEMA    requests made up from the document (default 40000)
  SEALPOST_BROADCAST people in the broadcast (default 10000)
  FUZZ_SECONDS       time for each target (default 600)
  PROPTEST_CASES     cases for each property (default 20000)
HELP
}

cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec </dev/null
# shellcheck source=scripts/prepare.sh
. scripts/prepare.sh

prove_kills() {
    step "kills and the power cut"
    SEALPOST_KILLS=${SEALPOST_KILLS:-100} cargo test --package sealpost --test main durability:: \
        -- --test-threads 1
}

prove_postgres_kills() {
    step "kills of PostgreSQL"
    SEALPOST_POSTGRES_KILLS=${SEALPOST_POSTGRES_KILLS:-20} \
        cargo test --package sealpost --test main durability::postgres:: -- --include-ignored
}

prove_sockets() {
    local sockets=${SEALPOST_SOCKETS:-10000} needed
    needed=$((sockets + 1000))
    step "$sockets sockets"
    # The tests and the gateway raise their own soft limits; only the hard one is in the way.
    if [ "$(ulimit -Hn)" != unlimited ] && [ "$(ulimit -Hn)" -lt "$needed" ]; then
        ulimit -Hn "$needed" 2>/dev/null ||
            give_up "a process may open $(ulimit -Hn) files here and $needed are needed; run as" \
                "root: ulimit -Hn $needed"
    fi
    SEALPOST_SOCKETS=$sockets SEALPOST_SOCKET_SECONDS=${SEALPOST_SOCKET_SECONDS:-40} \
        cargo test --release --package sealpost --test main sockets::
}

prove_simulation() {
    step "readers that come and go, ${SEALPOST_SIMULATIONS:-200} runs"
    SEALPOST_SIMULATIONS=${SEALPOST_SIMULATIONS:-200} \
        SEALPOST_SIMULATION_STEPS=${SEALPOST_SIMULATION_STEPS:-300} \
        cargo test --release --package sealpost --test main simulation::
}

prove_hushnet() {
    export SEALPOST_HUSHNET_SECONDS=${SEALPOST_HUSHNET_SECONDS:-60}
    export SEALPOST_HUSHNET_SOCKETS=${SEALPOST_HUSHNET_SOCKETS:-2000}
    local test=(cargo test --release --package sealpost --test main)
    step "HushNet: $SEALPOST_HUSHNET_SECONDS s of each load, $SEALPOST_HUSHNET_SOCKETS sockets"
    # One at a time: each takes all of the machine.
    "${test[@]}" hushnet:: -- --test-threads 1
    step "HushNet on PostgreSQL: the same loads"
    prepare_postgres
    SEALPOST_TEST_STORE=postgres "${test[@]}" hushnet::load:: -- --test-threads 1
}

prove_keyservice() {
    step "drop boxes: ${SEALPOST_GUESSES:-20000} guesses, ${SEALPOST_TIMING_TRIES:-10000} answers measured"
    # One at a time: what else runs is measured with it.
    SEALPOST_GUESSES=${SEALPOST_GUESSES:-20000} SEALPOST_TIMING_TRIES=${SEALPOST_TIMING_TRIES:-10000} \
        SEALPOST_FILE_BYTES=100000000 \
        cargo test --release --package sealpost --test main keyservice::timing:: keyservice::memory:: -- --test-threads 1
}

prove_malformed() {
    step "${SEALPOST_MALFORMED:-200000} malformed requests and frames"
    prepare_interop
    SEALPOST_MALFORMED=${SEALPOST_MALFORMED:-200000} \
        cargo test --release --package sealpost --test main malformed:: -- --include-ignored
}

prove_schema() {
    local requests=${SEALPOST_SCHEMA:-40000}
    step "$requests requests made up from the OpenAPI document"
    prepare_interop
    # Of what SEALPOST_MALFORMED counts, two fifths are requests; the rest, frames, is not run here.
    SEALPOST_MALFORMED=$((requests * 5 / 2)) SEALPOST_PHASES=examples,coverage,fuzzing \
        cargo test --release --package sealpost --test main malformed::malformed_requests \
        -- --include-ignored
}

prove_broadcast() {
    local people=${SEALPOST_BROADCAST:-10000}
    step "a broadcast to $people people"
    SEALPOST_BROADCAST=$people cargo test --release --package sealpost --test main sdk::broadcast
}

prove_fuzz() {
    local seconds=${FUZZ_SECONDS:-600} target found
    if ! cargo fuzz --version >/dev/null 2>&1; then
        step "fuzzing"
        echo "NOT DONE: fuzzing needs cargo-fuzz (cargo install --locked cargo-fuzz)."
        echo "The properties are no substitute: they do not look for new paths."
        not_done="$not_done fuzz"
        return 0
    fi
    # The sanitizer's flags are unstable; a stable compiler takes them when told so.
    local run=(env RUSTC_BOOTSTRAP=1 cargo fuzz run)
    if cargo +nightly --version >/dev/null 2>&1; then
        run=(cargo +nightly fuzz run)
    fi
    for target in fuzz/fuzz_targets/*.rs; do
        target=$(basename "$target" .rs)
        step "fuzzing $target for $seconds s"
        # What is found goes beside the build; the corpus in the tree is read only.
        found="$(target_directory)/fuzz-corpus/$target"
        mkdir -p "$found"
        "${run[@]}" "$target" "$found" "fuzz/corpus/$target" -- \
            -max_total_time="$seconds" -print_final_stats=1
    done
}

prove_properties() {
    step "properties, ${PROPTEST_CASES:-20000} cases each"
    PROPTEST_CASES=${PROPTEST_CASES:-20000} cargo test --release --package sealpost-sdk \
        --all-features --lib --tests
}

prove_book() {
    step "the manual as a book"
    if ! have mdbook; then
        echo "NOT DONE: the book needs mdbook (cargo install --locked mdbook)."
        not_done="$not_done book"
        return 0
    fi
    mdbook build docs
}

not_done=""
proofs=()
for argument in "$@"; do
    case $argument in
        kills | postgres-kills | sockets | simulation | hushnet | keyservice | malformed | schema | broadcast | fuzz | properties | book)
            proofs+=("$argument")
            ;;
        --help | -h) usage && exit 0 ;;
        *) usage >&2 && exit 2 ;;
    esac
done
if [ ${#proofs[@]} -eq 0 ]; then
    proofs=(kills postgres-kills sockets simulation hushnet keyservice malformed schema broadcast properties book fuzz)
fi

require_rust
require_system_packages
for proof in "${proofs[@]}"; do
    "prove_${proof//-/_}"
done

close_step
if [ -n "$not_done" ]; then
    printf '\nproved in %d s, except:%s\n' "$SECONDS" "$not_done"
    exit 1
fi
printf '\nproved in %d s\n' "$SECONDS"
