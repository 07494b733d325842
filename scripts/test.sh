#!/bin/sh
# Sets everything up, checks types, format and lint, and runs every test against real servers.
# The last line is "N passed, N failed, N skipped"; the check counts as one. Exits 1 on any failure.
set -u
exec </dev/null

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root" || exit 1
# Under CI the whole run has to end within 12 minutes, with its last line.
TEST_DEADLINE=${DOORBUSTER_TEST_DEADLINE:-660}

passed=0
failed=0
skipped=0

finish() {
  printf '%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
  [ "$failed" -eq 0 ]
  exit
}

if ! sh scripts/setup.sh servers; then
  echo "setup failed"
  failed=1
  finish
fi
PATH=$root/.tools/bin:$PATH
export PATH

echo "== check: types, format, lint"
if bun run check; then
  passed=$((passed + 1))
else
  echo "check failed"
  failed=$((failed + 1))
fi

log=$(mktemp)
trap 'rm -f "$log" "$log.code"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

echo "== tests"
{
  # Bun 1.4.5 does not read `timeout` from bunfig.toml; real servers take their time to start.
  timeout --foreground -k 15 "$TEST_DEADLINE" bun test --timeout 60000 "$@" 2>&1
  echo $? >"$log.code"
} | tee "$log"
code=$(cat "$log.code" 2>/dev/null || echo 1)

# Bun ends with a summary such as " 6 pass", " 1 skip", " 1 todo", " 0 fail", " 1 error".
count() {
  sed "s/$(printf '\033')\[[0-9;]*m//g" "$log" | awk -v word="$1" '
    NF == 2 && $1 ~ /^[0-9]+$/ && ($2 == word || $2 == word "s") { n = $1 }
    END { print n + 0 }'
}
passed=$((passed + $(count pass)))
tests_failed=$(($(count fail) + $(count error)))
skipped=$(($(count skip) + $(count todo)))
if [ "$code" -ne 0 ] && [ "$tests_failed" -eq 0 ]; then
  [ "$code" -ne 124 ] || echo "the tests did not end within $TEST_DEADLINE s"
  tests_failed=1
fi
failed=$((failed + tests_failed))

if [ "$skipped" -gt 0 ]; then
  echo "== skipped"
  grep -E '^\((skip|todo)\)' "$log" | sort -u
fi
if [ "$tests_failed" -gt 0 ]; then
  echo "== failed"
  grep -E '^\(fail\)' "$log" | sort -u
fi
finish
