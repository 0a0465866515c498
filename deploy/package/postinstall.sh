#!/bin/sh
# An upgrade restarts a service that runs. A first installation starts nothing, because the
# keys are missing.
set -e
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  systemctl try-restart greenlight.service || echo "greenlight did not restart; see: systemctl status greenlight" >&2
  systemctl is-enabled --quiet greenlight.service && exit 0
fi
cat <<'END'
Put your keys into /etc/greenlight/greenlight.env and plans into /etc/greenlight/plans.
Then start Greenlight: systemctl enable --now greenlight
END
