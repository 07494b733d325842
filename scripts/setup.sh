#!/bin/sh
# Makes a fresh machine ready: Bun in its pinned version and the packages of bun.lock.
#
#   sh scripts/setup.sh            what the engine needs
#   sh scripts/setup.sh servers    also redis-server, nats-server and PostgreSQL, for the tests
#
# Bun is always reachable at .tools/bin/bun afterwards. Running it again is quick and harmless.
set -eu
exec </dev/null

BUN_VERSION=1.4.5
root=$(cd "$(dirname "$0")/.." && pwd)
bin=$root/.tools/bin

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

is_our_bun() { [ "$("$1" --version 2>/dev/null || true)" = "$BUN_VERSION" ]; }

link_bun() {
  mkdir -p "$bin"
  ln -sf "$1" "$bin/bun"
}

# The platform's own binary, without the package's install script, which npm may not run.
install_bun() {
  command -v npm >/dev/null 2>&1 ||
    fail "Bun $BUN_VERSION is not here and npm is missing to fetch it. Install Node.js with npm" \
      "(Debian: apt-get install npm) or put Bun $BUN_VERSION into PATH, then run this again."
  say "installing Bun $BUN_VERSION into .tools/"
  npm install --prefix "$root/.tools" --ignore-scripts --no-audit --no-fund --loglevel=error \
    --fetch-timeout=60000 --fetch-retries=2 "bun@$BUN_VERSION" >&2 ||
    fail "npm could not install bun@$BUN_VERSION"
  for candidate in "$root"/.tools/node_modules/@oven/bun-*/bin/bun; do
    if is_our_bun "$candidate"; then
      link_bun "$candidate"
      return
    fi
  done
  fail "npm brought no Bun $BUN_VERSION that runs on $(uname -sm)"
}

ensure_bun() {
  if is_our_bun "$bin/bun"; then return; fi
  found=$(command -v bun 2>/dev/null || true)
  if [ -n "$found" ] && is_our_bun "$found"; then
    link_bun "$found"
  else
    install_bun
  fi
}

has_redis() { command -v redis-server >/dev/null 2>&1; }
has_nats() { command -v nats-server >/dev/null 2>&1 || [ -x /usr/sbin/nats-server ]; }
has_postgres() {
  command -v initdb >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1
}

ensure_servers() {
  missing=
  has_redis || missing="$missing redis-server"
  has_nats || missing="$missing nats-server"
  has_postgres || missing="$missing postgresql"
  [ -n "$missing" ] || return 0

  command -v apt-get >/dev/null 2>&1 ||
    fail "the tests need:$missing. There is no apt-get here: install them and run this again."
  as_root=
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null ||
      fail "the tests need:$missing. Run as root: apt-get install -y$missing"
    as_root=sudo
  fi
  say "installing$missing (Debian may start them on their usual ports; the tests use their own)"
  # Package lists may be stale or absent, and an unreachable extra source need not stop us.
  $as_root apt-get update -q >&2 || say "apt-get update failed; trying with the lists at hand"
  # shellcheck disable=SC2086 # two lists of words
  $as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -q --no-install-recommends $missing >&2 ||
    fail "apt-get could not install:$missing"
  has_redis && has_nats && has_postgres || fail "still missing after apt-get: one of$missing"
}

wanted=${1:-}
case $wanted in
  "" | servers) ;;
  *) fail "unknown argument '$wanted'; known: servers" ;;
esac

ensure_bun
cd "$root"
"$bin/bun" install --frozen-lockfile --silent >&2 || fail "bun install --frozen-lockfile failed"
[ "$wanted" != servers ] || ensure_servers
