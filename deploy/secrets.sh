#!/bin/sh
# secrets.sh [make|nats-switch|nats-retire] [FOLDER]
#
# make, the default, creates the secrets that can be generated. Each is a file in FOLDER
# (default: secrets, beside this script). Existing files are kept. Then it lists the secrets
# that you must add.
#
# NATS has two users, and Greenlight uses one of them. nats-switch gives the other one a new
# password and puts it into nats-url; open connections stay. nats-retire gives a new password
# to the user that is no longer in nats-url. docs/operations.md says what to restart.
#
# Only the owner can open the folder. Everyone can read the files, because a container gets
# single files of it and runs as another user.
set -eu
do=make
case ${1:-} in make | nats-switch | nats-retire) do=$1 && shift ;; esac
folder=${1:-$(dirname "$0")/secrets}
if [ "$do" = make ]; then
  mkdir -p "$folder"
fi
chmod 700 "$folder"

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
# It starts with a letter, because NATS would read a variable like 123 as a number.
password() { printf 't%s' "$(random)"; }

# Writes into the existing file, so that a container that mounts it sees the change.
write() { # name text
  printf '%s' "$2" >"$folder/$1"
  chmod 644 "$folder/$1"
}

keep() { # name text
  if [ -e "$folder/$1" ]; then
    chmod 644 "$folder/$1"
  else
    write "$1" "$2"
  fi
}

auth() {
  printf 'authorization: {users: [{user: greenlight-a, password: "%s"}, {user: greenlight-b, password: "%s"}]}' \
    "$(cat "$folder/nats-password-a")" "$(cat "$folder/nats-password-b")"
}

url() { printf 'nats://greenlight-%s:%s@nats:4222' "$1" "$(cat "$folder/nats-password-$1")"; }

if [ "$do" != make ]; then
  case $(cat "$folder/nats-url") in
    *//greenlight-a:*) other=b ;;
    *//greenlight-b:*) other=a ;;
    *) echo "$folder/nats-url names neither greenlight-a nor greenlight-b" >&2 && exit 1 ;;
  esac
  write "nats-password-$other" "$(password)"
  write nats-auth.conf "$(auth)"
  if [ "$do" = nats-switch ]; then
    write nats-url "$(url "$other")"
  fi
  exit
fi

keep admin-token "$(random)"
keep grafana-password "$(random)"
keep nats-password-a "$(password)"
keep nats-password-b "$(password)"
keep nats-auth.conf "$(auth)"
keep nats-url "$(url a)"

for name in telnyx-api-key telnyx-public-key; do
  if [ -s "$folder/$name" ]; then
    chmod 644 "$folder/$name"
  else
    echo "missing: $folder/$name (Mission Control, Account, Keys & Credentials)"
  fi
done
if [ -e "$folder/notify-url" ]; then # optional, written by the operator
  chmod 644 "$folder/notify-url"
fi
