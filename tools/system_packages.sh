#!/usr/bin/env bash
# Sees to the programs that the whole test suite starts by itself: PostgreSQL, Alertmanager, Chromium with fonts, curl, jq.
#
# As root on Debian it installs what is missing. Anywhere else it prints the line to run and fails: it never guesses
# another system's package names. Called by `make test`; running Countersign needs none of this.
#
# The suite starts servers of its own on loopback, so Debian's must not run: nothing is started while installing, no
# database cluster is created, and the Alertmanager unit that this run brought is not left enabled for the next boot.
set -euo pipefail

# package:file that proves it is there
readonly NEEDED=(
    postgresql-15:/usr/lib/postgresql/15/bin/initdb
    prometheus-alertmanager:/usr/bin/prometheus-alertmanager
    chromium:/usr/bin/chromium
    curl:/usr/bin/curl
    jq:/usr/bin/jq
    fonts-liberation:/usr/share/fonts/truetype/liberation/LiberationSans-Regular.ttf
    fonts-noto-color-emoji:/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf
)
readonly POLICY=/usr/sbin/policy-rc.d
readonly NO_CLUSTER=/etc/postgresql-common/createcluster.d/countersign-tests.conf

undo=()
put_back() {
    local path
    for path in "${undo[@]}"; do rm -f "$path"; done
}
trap put_back EXIT

# Debian asks this file before it starts a service; 101 means no. One that stands there already has its own reasons.
start_no_service() {
    [[ -e $POLICY ]] && return
    undo+=("$POLICY")
    printf '#!/bin/sh\nexit 101\n' >"$POLICY"
    chmod 755 "$POLICY"
}

create_no_database_cluster() {
    mkdir -p "$(dirname "$NO_CLUSTER")"
    undo+=("$NO_CLUSTER")
    echo 'create_main_cluster = false' >"$NO_CLUSTER"
}

missing=()
for entry in "${NEEDED[@]}"; do
    [[ -e ${entry#*:} ]] || missing+=("${entry%%:*}")
done
((${#missing[@]})) || exit 0

if [[ $(id -u) -ne 0 || ! -e /etc/debian_version ]] || ! command -v apt-get >/dev/null; then
    {
        echo "The tests need programs that are not installed: ${missing[*]}"
        echo 'On Debian 12, run this line and then make test again (on other systems, install the same programs there):'
        echo
        echo "    sudo apt-get update && sudo apt-get install --no-install-recommends ${missing[*]}"
    } >&2
    exit 1
fi

echo "Installing for the tests: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
start_no_service
create_no_database_cluster
apt-get -qq update
apt-get -qq install --yes --no-install-recommends "${missing[@]}" >/dev/null
if [[ " ${missing[*]} " == *' prometheus-alertmanager '* ]]; then
    update-rc.d prometheus-alertmanager disable
fi
