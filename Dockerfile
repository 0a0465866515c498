# One build stage, and a small target for each command:
#
#   docker build --target greenlight -t greenlight .
#   docker build --target webhook    -t greenlight-webhook .
#   docker build --target assigner   -t greenlight-assigner .
#
# The version comes from build arguments, which deploy/version.sh prints. Without them it is
# devel, without a commit, because git is not in the build:
#
#   docker build $(sh deploy/version.sh print | sed 's/^/--build-arg /') --target …
#
# The final images have one static binary and CA certificates, and run as an unprivileged
# user (65532). The file system may be read-only, except /data of greenlight.
#
# Builds are reproducible: the same commit, Go version and build arguments give the same
# binaries as make build.
ARG GO_VERSION=1.26

FROM golang:${GO_VERSION}-alpine AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=
ARG COMMIT=
ARG DATE=
ENV CGO_ENABLED=0
RUN go build -trimpath -buildvcs=false -ldflags="-s -w \
      -X greenlight/internal/app.version=$VERSION \
      -X greenlight/internal/app.commit=$COMMIT \
      -X greenlight/internal/app.date=$DATE" -o /out/ ./cmd/... \
 && mkdir -p -m 1777 /empty/tmp && mkdir -p /empty/data && chown -R 65532:65532 /empty/data

FROM scratch AS base
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
USER 65532:65532

# The private listener is reachable only inside the container, for the health check. For
# probes and Prometheus, set ADMIN_LISTEN=:8081, and ADMIN_TOKEN or ADMIN_TOKEN_FILE. Podman
# and Buildah keep the health check only with --format docker.
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
