# For those who have a network: docker build -t private-registry .
# ./image makes the same without one, and reads below how it is run.

FROM debian:bookworm AS build
COPY . /source
RUN mkdir /image && /source/image /image

FROM scratch
COPY --from=build /image /
COPY --from=build --chown=65532:65532 /image/data /data
ENV PATH=/usr/bin
ENV PRIVATE_REGISTRY_DATA=/data
ENV PRIVATE_REGISTRY_USER=65532
ENV PRIVATE_REGISTRY_DRAIN=5s
EXPOSE 5000
VOLUME ["/data"]
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD ["/usr/bin/private-registry", "status"]
ENTRYPOINT ["/usr/bin/private-registry"]
CMD ["serve"]
