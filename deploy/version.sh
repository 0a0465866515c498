#!/bin/sh
# version.sh
#
# Writes into .env, beside this script, which version is checked out. Compose names the
# images by it, and the programs say it of themselves. What else is in .env stays.
set -eu
cd "$(dirname "$0")"
version=$(git describe --tags --always --dirty)
{
  if [ -e .env ]; then
    sed '/^VERSION=/d; /^COMMIT=/d; /^DATE=/d' .env
  fi
  echo "VERSION=${version#v}"
  echo "COMMIT=$(git describe --always --abbrev=40 --exclude='*' --dirty=+dirty)"
  echo "DATE=$(TZ=UTC git log -1 --format=%cd --date=format-local:%Y-%m-%dT%H:%M:%SZ)"
} >.env.new
mv -f .env.new .env
