# One build stage, and a small target for each command:
#
#   docker build --target greenlight -t greenlight .
#   docker build --target webhook    -t greenlight-webhook .
#   docker build --target assigner   -t greenlight-assigner .
#
# The final images hold one static binary and CA certificates, run as nobody
# (65532), and need no writable file system but for greenlight's /data.
#
# The binaries come out the same, byte for byte, for the same commit, Go and build
# arguments, and the same as those of make build with the same version. What they say
# of themselves is an argument too:
#
#   --build-arg VERSION=$(git describe --tags --always | sed s/^v//) \
#   --build-arg COMMIT=$(git rev-parse HEAD) \
#   --build-arg SOURCE_DATE_EPOCH=$(git show -s --format=%ct)
#
# or DATE, such as 2026-11-26T12:00:00Z, in place of the last one.
ARG GO_VERSION=1.26

FROM golang:${GO_VERSION}-alpine AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=
ARG COMMIT=
ARG DATE=
ARG SOURCE_DATE_EPOCH=
ENV CGO_ENABLED=0
RUN date="$DATE" \
 && if [ -z "$date" ] && [ -n "$SOURCE_DATE_EPOCH" ]; then date=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ); fi \
 && go build -trimpath -buildvcs=false -ldflags="-s -w \
      -X greenlight/internal/settings.version=$VERSION \
      -X greenlight/internal/settings.commit=$COMMIT \
      -X greenlight/internal/settings.date=$date" -o /out/ ./cmd/... \
 && mkdir -p -m 1777 /empty/tmp && mkdir -p /empty/data && chown -R 65532:65532 /empty/data

FROM scratch AS base
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
USER 65532:65532

# The private listener is reached from inside the container alone, where the health
# check asks it. For probes and Prometheus set ADMIN_LISTEN=:8081, and ADMIN_TOKEN or
# ADMIN_TOKEN_FILE with it. Podman and Buildah keep the health check with --format docker
# alone.
FROM base AS webhook
COPY --from=build /out/webhook /webhook
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["/webhook", "--healthcheck"]
ENTRYPOINT ["/webhook"]

FROM base AS assigner
COPY --from=build /out/assigner /assigner
ENV PLANS=/config/plans
HEALTHCHECK --interval=10s --timeout=5s --start-period=90s CMD ["/assigner", "--healthcheck"]
ENTRYPOINT ["/assigner"]

FROM base AS greenlight
COPY --from=build /out/greenlight /greenlight
COPY --from=build --chown=65532:65532 /empty/ /
ENV PLANS=/config/plans DATA=/data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["/greenlight", "up", "--healthcheck"]
ENTRYPOINT ["/greenlight"]
CMD ["up"]
