#!/bin/sh
# An upgrade restarts a service that runs. A first installation starts nothing, because the
# keys are missing. Without systemd, as on Alpine, there is no service.
set -e
[ -d /run/systemd/system ] || exit 0
systemctl daemon-reload
# It may take minutes until it is ready, in which dpkg would wait.
systemctl --no-block try-restart greenlight.service
if systemctl is-enabled --quiet greenlight.service; then
  echo "To see whether the new Greenlight is ready: systemctl status greenlight"
  exit 0
fi
cat <<'END'
Put your keys into /etc/greenlight/greenlight.env and plans into /etc/greenlight/plans.
Then start Greenlight: systemctl enable --now greenlight
END
