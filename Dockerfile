# tcli serve in a container, as an unprivileged user. Disks are reached faster by io_uring, which Docker's own
# seccomp profile forbids (README.md, To deploy): docker build -t tcli . && docker run -p 3260:3260 -v tcli:/data tcli
FROM node:24-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc build.mjs tsconfig.json ./
COPY src src
COPY shell shell
# The Node of this image is the one that runs it.
RUN npm ci && npm prune --omit=dev && rm -rf node_modules/node-linux-* node_modules/.bin/node

FROM node:24-bookworm-slim
WORKDIR /usr/local/lib/tcli
COPY --from=build /build/node_modules node_modules
COPY --from=build /build/dist dist
COPY --from=build /build/shell/bin shell/bin
COPY package.json LICENSE ./
RUN ln -s /usr/local/lib/tcli/shell/bin/tcli /usr/local/bin/tcli && install -d -o node -g node -m 0700 /data
USER node
ENV TCLI_HOME=/data
VOLUME /data
EXPOSE 3260
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s CMD ["tcli", "daemon", "status"]
ENTRYPOINT ["tcli"]
CMD ["serve"]
