import { defaultClientConditions, defineConfig } from 'vite';

// A build for the tests, which say NODE_ENV=test, is the build that is served: without what is for developers only.
process.env['NODE_ENV'] = 'production';

export default defineConfig({
  root: import.meta.dirname,
  base: './',
  resolve: {
    // Packages of the workspace come from their sources.
    conditions: ['carillon-source', ...defaultClientConditions],
    dedupe: ['react', 'react-dom', 'graphql', 'graphql-ws'],
  },
  build: {
    target: 'es2022',
    // The server's policy allows no inline content, data: fonts and scripts among it.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
});
