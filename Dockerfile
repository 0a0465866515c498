# One build stage, and a small target for each command:
#
#   docker build --target greenlight -t greenlight .
#   docker build --target webhook    -t greenlight-webhook .
#   docker build --target assigner   -t greenlight-assigner .
#
# What the programs say of themselves is given as arguments, which deploy/version.sh
# knows; without them they are devel, of no commit, since git is not in the build:
#
#   docker build $(sh deploy/version.sh print | sed 's/^/--build-arg /') --target …
#
# The final images hold one static binary and CA certificates, run as nobody
# (65532), and need no writable file system but for greenlight's /data.
#
# The binaries come out the same, byte for byte, for the same commit, Go and build
# arguments, and the same as those of make build.
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
