#!/bin/sh
# Stops the service before a removal. An upgrade (dpkg says upgrade, rpm says 1) restarts it
# afterwards, so that it is away for a moment only.
set -e
case "$1" in upgrade | failed-upgrade | 1) exit 0 ;; esac
[ -d /run/systemd/system ] || exit 0
systemctl disable --now greenlight.service
