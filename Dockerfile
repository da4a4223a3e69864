# An image that holds `regrow` and nothing else. Build and try it:
#   docker build -t regrow . && docker run --rm -v "$PWD":/work regrow quickstart
FROM rust:1-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends musl-tools binutils && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN rustup target add "$(uname -m)-unknown-linux-musl" && scripts/build_static.sh \
    && cp "target/$(uname -m)-unknown-linux-musl/release/regrow" /regrow

FROM scratch
COPY --from=build /regrow /regrow
WORKDIR /work
ENTRYPOINT ["/regrow"]
