# syntax=docker/dockerfile:1
# The gateway alone: one static binary on an empty image, without a shell, as a user without rights.
#
#   docker buildx build --platform linux/amd64,linux/arm64 -t callgate .
#   docker run --read-only -p 8080:8080 -v "$PWD/callgate.yaml:/etc/callgate/callgate.yaml:ro" callgate
#
# Without a container engine `release/image` makes the last stage. docs/deployment.md says what else there is to say.

FROM --platform=$BUILDPLATFORM rust:1.95-bookworm AS build
ARG TARGETARCH
# aws-lc-rs is C: it needs a compiler for the target, and musl makes the binary static. zig compiles for the other architecture.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates cmake musl-tools python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && python3 -m venv /zig \
    && /zig/bin/pip install --no-cache-dir cargo-zigbuild==0.24.1 ziglang==0.17.1
ENV PATH=/zig/bin:$PATH
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target,id=target-$TARGETARCH \
    release/build --target "$TARGETARCH" --output /out --no-sbom

FROM scratch
LABEL org.opencontainers.image.title="callgate" \
      org.opencontainers.image.description="A serverless-function-first API gateway" \
      org.opencontainers.image.licenses="Apache-2.0"
# Whom upstreams' certificates are checked by.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/callgate /callgate
USER 65532:65532
EXPOSE 8080 9901
# Whether the process runs; a gateway that drains still does. Its admin has to be at 127.0.0.1:9901.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["/callgate", "health", "--live"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/callgate"]
CMD ["run", "/etc/callgate/callgate.yaml"]
