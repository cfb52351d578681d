#!/usr/bin/env bash
# Runs the benchmarks on an otherwise idle machine and says what machine it was. Arguments go to the
# gateway's benchmark: --write puts its tables into BENCHMARKS.md and makes the large databases as
# large as they are promised for (25 minutes on two processors, 15 GB on the disk), --full measures
# everything, --help shows the rest.
set -Eeuo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec </dev/null
# shellcheck source=scripts/prepare.sh
. scripts/prepare.sh

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
prepare_postgres
cargo bench --package sealpost --bench gateway -- --postgres "$SEALPOST_TEST_POSTGRES" \
    --postgres-process "$(head -n 1 "$postgres_folder/data/postmaster.pid")" "$@"
close_step
