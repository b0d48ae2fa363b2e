import type { SwaggerOptions, SwaggerTransformObject } from '@fastify/swagger';
import { createJsonSchemaTransform, createJsonSchemaTransformObject } from 'fastify-type-provider-zod';

type ZodToJsonConfig = NonNullable<NonNullable<Parameters<typeof createJsonSchemaTransform>[0]>['zodToJsonConfig']>;

const zodToJsonConfig: ZodToJsonConfig = {
  // Every integer is within these bounds; as limits of an interface they say nothing.
  override: ({ jsonSchema }) => {
    if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
    if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
  },
};

const SCHEMA_REFERENCE = /"#\/components\/schemas\/([^"]+)"/g;

function referencedIn(part: unknown): Set<string> {
  return new Set(Array.from(JSON.stringify(part).matchAll(SCHEMA_REFERENCE), ([, name]) => name as string));
}

/**
 * Every schema of the registry comes twice: as `Name` for answers and as `NameInput` for requests. Keeps those that a
 * route uses, and calls a schema of requests `Name` where there is no answer of that name. Schemas do not refer to each
 * other here.
 */
const withCleanNames: SwaggerTransformObject = (document) => {
  const object = createJsonSchemaTransformObject({ zodToJsonConfig })(document);
  if (!('paths' in object) || !('components' in object)) return object;
  const used = referencedIn(object.paths);
  const cleanName = (name: string): string => {
    const clean = name.replace(/Input$/, '');
    return used.has(clean) ? name : clean;
  };
  const schemas = Object.entries(object.components?.schemas ?? {}).filter(([name]) => used.has(name));
  const paths = JSON.stringify(object.paths).replaceAll(
    SCHEMA_REFERENCE,
    (_, name: string) => `"#/components/schemas/${cleanName(name)}"`,
  );
  return {
    ...object,
    paths: JSON.parse(paths) as typeof object.paths,
    components: {
      ...object.components,
      schemas: Object.fromEntries(schemas.map(([name, schema]) => [cleanName(name), schema])),
    },
  } as typeof object;
};

/** How the OpenAPI document comes out of the routes' own rules. */
export const openApiOptions = (version: string): SwaggerOptions => ({
  openapi: {
    openapi: '3.1.0',
    info: {
      title: 'Carillon',
      version,
      description: 'Notifications over REST, for callers of the module that Carillon replaces. See also /graphql.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } } },
    security: [{ bearer: [] }],
  },
  transform: createJsonSchemaTransform({ zodToJsonConfig }),
  transformObject: withCleanNames,
});
