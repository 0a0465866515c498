#!/bin/sh
# secrets.sh [make|nats-switch|nats-retire] [FOLDER]
#
# make (or nothing) makes the secrets that need not come from anybody, each a file of
# FOLDER (secrets beside this script), and keeps those that are there. Then it tells
# which ones are missing still.
#
# NATS knows two users, of whom one is used. nats-switch gives the other a new password
# and has nats-url name that one; whoever is connected stays. nats-retire gives a new
# password to the one that is no longer named. docs/operations.md says what to restart.
#
# The folder is for its owner alone; the files can be read by all, since a container gets
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
# A letter first: NATS reads a variable as a value of its configuration, which may be a number.
password() { printf 't%s' "$(random)"; }

# Into the same file, not over it: a container that has it mounted sees the change.
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
if [ -e "$folder/notify-url" ]; then # who wants notices writes it
  chmod 644 "$folder/notify-url"
fi
