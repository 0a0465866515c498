#!/bin/sh
# Runs sdk.mjs with Telnyx's SDK for Node, which is installed into a temporary folder
# and nowhere else: run.sh <greenlight>. It needs node, npm and npm's registry.
set -eu
version=7.24.0 # of 2026-11, the newest then
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT INT TERM
cp "$here/sdk.mjs" "$here/plan.yaml" "$folder"
printf '{"private":true}\n' > "$folder/package.json"
npm install --prefix "$folder" --no-audit --no-fund --ignore-scripts --silent "telnyx@$version"
SDK_VERSION=$version node "$folder/sdk.mjs" "$1" "$folder/plan.yaml"
