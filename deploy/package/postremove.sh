#!/bin/sh
# dpkg --purge removes settings, plans and data. A removal keeps them.
set -e
if [ "$1" = purge ]; then
  rm -rf /etc/greenlight /var/lib/greenlight /var/lib/private/greenlight
fi
[ ! -d /run/systemd/system ] || systemctl daemon-reload
