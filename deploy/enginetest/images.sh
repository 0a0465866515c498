#!/bin/sh
# Makes the images that deploy takes from registries, from what is on this machine: Go as
# it is installed, with the modules of this repository in place of a proxy, NATS's server
# and Caddy as they are, and for Prometheus and Grafana what answers their health checks.
# images.sh FOLDER, which has nats-server, caddy and modules.
set -eu
built=$1
box=$(mktemp -d)
trap 'rm -rf "$box"' EXIT
mkdir -p "$box/bin" "$box/tmp" "$box/etc/ssl/certs" "$box/www/-" "$box/www/api" "$box/config" "$box/data"
cp "$(command -v busybox)" "$box/bin/busybox"
for name in $(busybox --list); do
  [ "$name" = busybox ] || ln -s busybox "$box/bin/$name"
done
cp /etc/ssl/certs/ca-certificates.crt "$box/etc/ssl/certs"
touch "$box/www/-/ready" "$box/www/api/health"

image() { # name, and what docker import is told of it
  name=$1 && shift
  tar -c -C "$box" . | docker import "$@" --change 'ENV PATH=/usr/local/go/bin:/bin' - "$name"
}
image prom/prometheus:v3.15.0 --change 'ENTRYPOINT ["sh", "-c", "exec httpd -f -p 9090 -h /www"]'
image grafana/grafana:13.2.3 --change 'ENTRYPOINT ["sh", "-c", "exec httpd -f -p 3000 -h /www"]'
cp "$built/nats-server" "$box/bin"
image nats:2.15-alpine
cp "$built/caddy" "$box/bin"
image caddy:2.11.7-alpine --change 'CMD ["caddy", "run", "--config", "/etc/caddy/Caddyfile"]'
mkdir -p "$box/usr/local"
cp -R "$(go env GOROOT)" "$box/usr/local/go"
cp -R "$built/modules/cache/download" "$box/proxy"
image golang:1.26-alpine --change 'ENV GOPROXY=file:///proxy GOTOOLCHAIN=local'
