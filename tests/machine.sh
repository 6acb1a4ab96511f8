#!/bin/sh
# Installs what the tests need of the system: PostgreSQL 15, Chromium and curl. Says nothing where all are there.
set -eu

missing=""
[ -x /usr/lib/postgresql/15/bin/initdb ] || postgres --version 2>/dev/null | grep -q ' 15\.' \
    || missing="$missing postgresql-15"
command -v chromium >/dev/null || missing="$missing chromium"
command -v curl >/dev/null || missing="$missing curl"
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "The tests need$missing (names of Debian's packages): install them. Tests without them are skipped." >&2
    exit 0
elif [ "$(id -u)" = 0 ]; then
    root=""
elif sudo -n true 2>/dev/null; then
    root="sudo -n"
else
    echo "The tests need$missing. Tests without them are skipped; to have them: sudo apt-get install$missing" >&2
    exit 0
fi

echo "Installing$missing ..."
# The tests start servers of their own: no other one is made, and nothing is started.
$root mkdir -p /etc/postgresql-common/createcluster.d
echo "create_main_cluster = false" | $root tee /etc/postgresql-common/createcluster.d/no-main.conf >/dev/null
get="$root env DEBIAN_FRONTEND=noninteractive apt-get -q -y"
log="$(mktemp)"
trap 'rm -f "$log"' EXIT
if ! { $get update && $get install --no-install-recommends $missing; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "$missing could not be installed; tests without them are skipped" >&2
fi
