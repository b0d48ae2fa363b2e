/**
 * `node build.ts '<JSON>'`: one build by Vite. A process of its own, as Vite's native part takes objects of the main
 * context only, and test files run in another one.
 */
import { type InlineConfig, build, defaultClientConditions } from 'vite';

export interface Build {
  readonly root: string;
  readonly outDir: string;
  /** The path under which the page is served; / when absent. */
  readonly base?: string;
  /** Take the packages' sources instead of what npm would install. */
  readonly isFromSource: boolean;
  /** Build with React's checks for development. */
  readonly isDevelopment: boolean;
  /** Build this file as a library. */
  readonly library?: string;
  /** Leave these packages out. */
  readonly external?: readonly string[];
}

const asked = JSON.parse(process.argv[2] ?? '{}') as Build;
const config: InlineConfig = {
  root: asked.root,
  base: asked.base ?? '/',
  configFile: false,
  logLevel: 'error',
  resolve: { conditions: [...(asked.isFromSource ? ['carillon-source'] : []), ...defaultClientConditions] },
  build: {
    outDir: asked.outDir,
    emptyOutDir: true,
    // What is inlined would need the page's policy to allow it.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    minify: true,
    ...(asked.library ? { lib: { entry: asked.library, formats: ['es'], fileName: 'library' } } : {}),
    rolldownOptions: { external: [...(asked.external ?? [])] },
  },
};
await build(config);
