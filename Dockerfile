# The gateway as an image of its own: `docker build --tag sealpost .`
#
# The first stage builds with the versions of Cargo.lock, the second has the program and the
# certificates by which it knows other servers, and nothing that builds or downloads anything.

FROM rust:1.94-slim-bookworm AS build
WORKDIR /source
COPY . .
RUN cargo build --release --locked --package sealpost --bin sealpost

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 sealpost \
    && useradd --uid 10001 --gid 10001 --home-dir /var/lib/sealpost --no-create-home \
        --shell /usr/sbin/nologin sealpost \
    && install --directory --owner sealpost --group sealpost --mode 0700 /var/lib/sealpost
COPY --from=build /source/target/release/sealpost /usr/local/bin/sealpost

# By number, so that it is plain to whoever runs the image that this is not root.
USER 10001:10001
ENV SEALPOST_DATA=/var/lib/sealpost SEALPOST_LISTEN=0.0.0.0:8080
VOLUME /var/lib/sealpost
WORKDIR /var/lib/sealpost
EXPOSE 8080

# Requests under way are finished first.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --retries=3 CMD ["sealpost", "ready"]
ENTRYPOINT ["sealpost"]
CMD ["serve"]
