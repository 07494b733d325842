#!/bin/sh
# Sets everything up, starts the engine on its own (embedded: no servers), and opens a sample sale.
#
#   sh scripts/up.sh             until Ctrl-C
#   sh scripts/up.sh --detach    leaves the engine running
#
# DOORBUSTER_PORT (3000) and DOORBUSTER_DATA_DIR (.doorbuster) choose where. Data stays.
set -eu
exec </dev/null

root=$(cd "$(dirname "$0")/.." && pwd)
data=${DOORBUSTER_DATA_DIR:-$root/.doorbuster}
# Its user's alone: shoppers' data and secrets.
(umask 077 && mkdir -p "$data")
data=$(cd "$data" && pwd)
port=${DOORBUSTER_PORT:-3000}
url=http://127.0.0.1:$port
log=$data/engine.log
pid_file=$data/engine.pid

say() { printf '%s\n' "$*"; }

detach=no
case ${1:-} in
  "") ;;
  --detach) detach=yes ;;
  *)
    say "unknown argument '$1'; known: --detach" >&2
    exit 2
    ;;
esac

sh "$root/scripts/setup.sh"
PATH=$root/.tools/bin:$PATH
export PATH
cd "$root"

# Embedded, whatever the caller's environment says.
unset DOORBUSTER_REDIS_URL DOORBUSTER_NATS_URL
unset DOORBUSTER_CONTROL_DATABASE_URL DOORBUSTER_SHARD_DATABASE_URLS DOORBUSTER_PAYMENT_URL
export DOORBUSTER_PORT="$port" DOORBUSTER_DATA_DIR="$data" DOORBUSTER_SERVER="$url"
unset DOORBUSTER_API_KEY

# A process that has ended stays in the table until its parent looks: that one does not run.
is_running() { kill -0 "$1" 2>/dev/null && ! grep -qs ') Z ' "/proc/$1/stat"; }

if [ -f "$pid_file" ] && is_running "$(cat "$pid_file")"; then
  say "an engine runs here already; to stop it: kill $(cat "$pid_file")" >&2
  exit 1
fi

# Whatever answers there would be taken for the engine.
if bun -e 'await fetch(Bun.argv[1])' "$url" >/dev/null 2>&1; then
  say "something else answers at $url; choose another port: DOORBUSTER_PORT=3001" >&2
  exit 1
fi

if [ "$detach" = yes ]; then
  nohup bun src/main.ts >>"$log" 2>&1 &
else
  bun src/main.ts >>"$log" 2>&1 &
fi
pid=$!
echo "$pid" >"$pid_file"

# SIGTERM lets the engine finish what it accepted; nothing is left behind but the data.
stop() {
  trap - INT TERM EXIT
  kill -TERM "$pid" 2>/dev/null || true
  wait "$pid" || true
  rm -f "$pid_file"
}
trap 'stop; exit 130' INT
trap 'stop; exit 143' TERM
trap stop EXIT

if ! bun scripts/lib/wait-ready.ts "$url" "$pid"; then
  say "the engine did not become ready; the end of $log:" >&2
  tail -n 20 "$log" >&2
  exit 1
fi

sale=$(bun scripts/lib/sample-sale.ts "$data")
# Once: what its merchant has changed since must not go back to what the file says.
if ! bun src/cli/main.ts sale show "$sale" >/dev/null 2>&1; then
  bun src/cli/main.ts sale apply -f "$data/flash-sale.yaml"
fi

say ""
say "Doorbuster sells $sale at $url (log: $log)"
say "Buy something, in another terminal:"
say ""
bun scripts/lib/walk.ts "$url" "$sale"
say ""

if [ "$detach" = yes ]; then
  trap - INT TERM EXIT
  say "The engine runs as pid $pid. To stop it: kill $pid"
else
  say "Ctrl-C stops it; the data stays in $data"
  # The shell waits in a builtin, so that a signal is heard at once.
  code=0
  wait "$pid" || code=$?
  trap - EXIT
  rm -f "$pid_file"
  exit "$code"
fi
