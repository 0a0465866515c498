# One build stage, and a small target for each command:
#
#   docker build --target greenlight -t greenlight .
#   docker build --target webhook    -t greenlight-webhook .
#   docker build --target assigner   -t greenlight-assigner .
#
# Add --build-arg VERSION=1.2.3 --build-arg COMMIT=… --build-arg DATE=… for what the
# programs say of themselves.
#
# The final images hold one static binary and CA certificates, run as nobody
# (65532), and need no writable file system but for greenlight's /data.

FROM golang:1.26-alpine AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ENV CGO_ENABLED=0
ARG VERSION=devel
ARG COMMIT=
ARG DATE=
RUN go build -trimpath -buildvcs=false -o /out/ -ldflags="-s -w \
      -X greenlight/internal/settings.version=$VERSION \
      -X greenlight/internal/settings.commit=$COMMIT \
      -X greenlight/internal/settings.date=$DATE" ./cmd/... \
 && mkdir -p -m 1777 /empty/tmp && mkdir -p /empty/data && chown -R 65532:65532 /empty/data

FROM scratch AS base
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
USER 65532:65532

FROM base AS webhook
COPY --from=build /out/webhook /webhook
# The private listener is reached from inside the container alone. For probes and
# Prometheus set ADMIN_LISTEN=:8081, and ADMIN_TOKEN or ADMIN_TOKEN_FILE with it.
EXPOSE 8080
ENTRYPOINT ["/webhook"]

FROM base AS assigner
COPY --from=build /out/assigner /assigner
ENV PLANS=/config/plans
ENTRYPOINT ["/assigner"]

FROM base AS greenlight
COPY --from=build /out/greenlight /greenlight
COPY --from=build --chown=65532:65532 /empty/ /
ENV PLANS=/config/plans DATA=/data
VOLUME /data
EXPOSE 8080
ENTRYPOINT ["/greenlight"]
CMD ["up"]
