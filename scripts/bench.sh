#!/usr/bin/env bash
# Runs the benchmarks on an otherwise idle machine and says what machine it was. Arguments go to the
# gateway's benchmark: --write puts its tables into BENCHMARKS.md and makes the large databases as
# large as they are promised for (25 minutes on two processors, 15 GB on the disk), --full measures
# everything, --help shows the rest.
#
# --apart, which is this script's own, gives PostgreSQL the first processor and everything else the
# second one: what they take from each other on a small machine is left out then.
set -Eeuo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec </dev/null
# shellcheck source=scripts/prepare.sh
. scripts/prepare.sh

arguments=()
apart=
for argument in "$@"; do
    case $argument in
        --apart) apart=yes ;;
        *) arguments+=("$argument") ;;
    esac
done
if [ -n "$apart" ]; then
    command -v taskset >/dev/null || give_up "--apart needs taskset, which is in util-linux"
    [ "$(getconf _NPROCESSORS_ONLN)" -gt 1 ] || give_up "--apart needs two processors"
    [[ " $* " != *" --write "* ]] || give_up "--write is for tables that are measured without --apart"
fi

# Whatever this script starts from now on is on this processor alone.
on_processor() {
    [ -z "$apart" ] || taskset --cpu-list --pid "$1" $$ >/dev/null
}

step "machine"
require_rust
require_system_packages
rustc --version
uname -srm
grep -m 1 "model name" /proc/cpuinfo 2>/dev/null || true
echo "$(getconf _NPROCESSORS_ONLN) processors, load $(cut -d ' ' -f 1-3 /proc/loadavg 2>/dev/null)"

step "envelope: the SDK beside the bare primitives of the same run"
cargo bench --package sealpost --bench envelope

# A server for work, not for tests. Its memory is well below a quarter of a small machine's.
export SEALPOST_POSTGRES_BUFFERS=1GB SEALPOST_POSTGRES_LOG=4GB
step "gateway: beside what HTTP and the database cost alone in the same run"
cargo bench --package sealpost --bench gateway --no-run
on_processor 0
prepare_postgres
on_processor 1
cargo bench --package sealpost --bench gateway -- --postgres "$SEALPOST_TEST_POSTGRES" \
    --postgres-process "$(head -n 1 "$postgres_folder/data/postmaster.pid")" "${arguments[@]}"
close_step
