#!/bin/sh
# version.sh [print]
#
# Which version is checked out: the one place that says it, for make build, for images
# and for Compose. It writes VERSION, COMMIT and DATE into .env, beside this script, where
# Compose reads them; what else is in .env stays. With print it only prints them.
#
#   VERSION  the tag without its v, and what came since: 1.2.3, 1.2.3-4-g0123abc. Without
#            a tag devel-0123abc. It names images, so it has no plus.
#   COMMIT   the revision in full, with +dirty where files were changed since
#   DATE     the commit's, not today's, so that building it twice gives the same bytes
#
# Sources without git, such as an archive of them, are devel, of no commit and no date.
set -eu
cd "$(dirname "$0")"

# Not the version of a repository in which these sources only happen to lie.
if git ls-files --error-unmatch version.sh >/dev/null 2>&1; then
  version=$(git describe --tags --dirty 2>/dev/null) || version=devel-$(git describe --always --exclude='*' --dirty)
  commit=$(git describe --always --abbrev=40 --exclude='*' --dirty=+dirty)
  date=$(TZ=UTC git log -1 --format=%cd --date=format-local:%Y-%m-%dT%H:%M:%SZ)
elif [ -e ../.git ] && ! git status >/dev/null; then # git has said why
  echo "version.sh: git refuses to tell which version this is" >&2
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
