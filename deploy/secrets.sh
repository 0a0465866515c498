#!/bin/sh
# secrets.sh [FOLDER]
#
# Makes the secrets that need not come from anybody, each a file of FOLDER (secrets
# beside this script), and keeps those that are there. Then it tells which ones are
# missing still. The folder is for its owner alone; the files can be read by all, since
# a container gets single files of it and runs as another user.
set -eu
folder=${1:-$(dirname "$0")/secrets}
mkdir -p "$folder"
chmod 700 "$folder"

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

keep() { # name text
  [ -e "$folder/$1" ] || printf '%s' "$2" >"$folder/$1"
  chmod 444 "$folder/$1"
}

keep admin-token "$(random)"
keep grafana-password "$(random)"
# A letter first: NATS reads a variable as a value of its configuration, which may be a number.
keep nats-token "t$(random)"
token=$(cat "$folder/nats-token")
keep nats-auth.conf "authorization: {token: \"$token\"}"
keep nats-url "nats://$token@nats:4222"

for name in telnyx-api-key telnyx-public-key; do
  if [ -s "$folder/$name" ]; then
    chmod 444 "$folder/$name"
  else
    echo "missing: $folder/$name (Mission Control, Account, Keys & Credentials)"
  fi
done
