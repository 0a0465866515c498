#!/bin/sh
# version.sh [print]
#
# Determines the version that is checked out, for make build, images and Compose. It writes
# VERSION, COMMIT and DATE into .env, beside this script, where Compose reads them. Other
# lines of .env are kept. With print it only prints them.
#
#   VERSION  the tag without its v, and the commits since: 1.2.3, 1.2.3-4-g0123abc. Without
#            a tag it is devel-0123abc. Image tags cannot have a plus sign, so it has none.
#   COMMIT   the full revision, with +dirty if files have changed since
#   DATE     the date of the commit, so that two builds give the same bytes
#
# Sources without git, for example from an archive, have the version devel, and neither a
# commit nor a date.
set -eu
cd "$(dirname "$0")"

# If these sources are only a folder of another repository, its version does not count.
if git ls-files --error-unmatch version.sh >/dev/null 2>&1; then
  version=$(git describe --tags --dirty 2>/dev/null) || version=devel-$(git describe --always --exclude='*' --dirty)
  commit=$(git describe --always --abbrev=40 --exclude='*' --dirty=+dirty)
  date=$(TZ=UTC git log -1 --format=%cd --date=format-local:%Y-%m-%dT%H:%M:%SZ)
elif [ -e ../.git ] && ! git status >/dev/null; then # git has printed the reason
  echo "version.sh: git cannot read the version of this repository" >&2
  exit 1
else
  version=devel commit='' date=''
fi
this="VERSION=${version#v}
COMMIT=$commit
DATE=$date"

case ${1-} in
print)
  echo "$this"
  ;;
'')
  {
    if [ -e .env ]; then
      sed '/^VERSION=/d; /^COMMIT=/d; /^DATE=/d' .env
    fi
    echo "$this"
  } >.env.new
  mv -f .env.new .env
  ;;
*)
  echo "usage: sh deploy/version.sh [print]" >&2
  exit 2
  ;;
esac
