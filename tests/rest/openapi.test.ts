import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { asEveryTenant } from '../../src/scope.ts';
import { type ValidateFunction, Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { TENANT, type TestApp, person, startApp } from '../support/app.ts';

type Json = Record<string, unknown>;
interface Operation {
  operationId: string;
  summary: string;
  security?: object[];
  parameters?: { name: string; in: string; required?: boolean; schema: Json }[];
  requestBody?: { required?: boolean; content: Record<string, { schema: Json }> };
  responses: Record<string, { description: string; content: Record<string, { schema: Json }> }>;
}
interface OpenApi {
  openapi: string;
  info: Json;
  security: object[];
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Json>; securitySchemes: Json };
}

const path = '/api/v1/notifications';

let app: TestApp;
let api: OpenApi;
let ajv: Ajv2020;
beforeAll(async () => {
  app = await startApp();
  const { body } = await app.rest('GET', '/api/v1/openapi.json');
  api = body;
  ajv = new Ajv2020({ strict: true, strictTypes: false, allErrors: true });
  formats.default(ajv);
  ajv.addVocabulary(['openapi', 'info', 'paths', 'components', 'security']);
  ajv.addSchema(api, 'api');
});
afterAll(async () => app[Symbol.asyncDispose]());

const pointer = (...parts: string[]) =>
  `api#/${parts.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')}`;

const operations = () =>
  Object.entries(api.paths).flatMap(([at, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ at, method, operation })),
  );

/** Every value of the document, with its keys. */
function* walk(value: unknown): Generator<[key: string, value: unknown]> {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    yield [key, inner];
    yield* walk(inner);
  }
}

describe('the OpenAPI document', () => {
  test('is served to everybody as JSON', async () => {
    const { status, headers } = await app.rest('GET', '/api/v1/openapi.json');
    expect([status, headers.get('content-type')]).toEqual([200, 'application/json; charset=utf-8']);
  });

  test('is of version 3.1.0 and has the parts that one must have', () => {
    expect(Object.keys(api).toSorted()).toEqual(['components', 'info', 'openapi', 'paths', 'security']);
    expect(api.openapi).toBe('3.1.0');
    expect(api.info).toMatchObject({ title: 'Carillon', version: expect.stringMatching(/^\d+\.\d+\.\d+/) });
  });

  test('describes every operation, and no other address', () => {
    expect(operations().map(({ at, method, operation }) => [method, at, operation.operationId])).toEqual([
      ['post', '/api/v1/auth/login', 'login'],
      ['post', '/api/v1/auth/refresh', 'refresh'],
      ['post', '/api/v1/auth/logout', 'logout'],
      ['post', path, 'sendNotification'],
      ['get', path, 'listNotifications'],
      ['get', `${path}/unread-count`, 'countUnread'],
      ['put', `${path}/read`, 'markManyRead'],
      ['get', `${path}/{id}`, 'getNotification'],
      ['delete', `${path}/{id}`, 'deleteNotification'],
      ['put', `${path}/{id}/read`, 'markRead'],
      ['post', `${path}/{id}/recall`, 'recallNotification'],
      ['get', `${path}/sent`, 'listSent'],
    ]);
  });

  test('has plain schema names, each used, and no reference leads nowhere', () => {
    const names = Object.keys(api.components.schemas);
    expect(names.toSorted()).toEqual(['Error', 'Notification', 'SendRequest', 'Session']);
    const references = Array.from(walk(api)).flatMap(([key, value]) => (key === '$ref' ? [value] : []));
    expect(new Set(references)).toEqual(new Set(names.map((name) => `#/components/schemas/${name}`)));
  });

  test('gives every parameter of a path, and every operation its answers', () => {
    for (const { at, operation } of operations()) {
      const inPath = (operation.parameters ?? []).filter((parameter) => parameter.in === 'path');
      expect(inPath.map(({ name }) => `{${name}}`)).toEqual(at.match(/\{[^}]+\}/g) ?? []);
      expect(inPath.every(({ required }) => required)).toBe(true);
      expect(Object.keys(operation.responses)).toEqual(['200', '4XX', '5XX']);
      expect(operation.summary).not.toBe('');
    }
  });

  test('asks for a bearer token everywhere but at login', () => {
    expect(api.security).toEqual([{ bearer: [] }]);
    expect(api.components.securitySchemes).toEqual({ bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } });
    for (const { at, operation } of operations()) {
      expect(operation.security).toEqual(at.startsWith('/api/v1/auth/') ? [] : undefined);
    }
  });

  test('says of what callers give only what is so', () => {
    const send = api.components.schemas['SendRequest'] as { required: string[]; properties: Record<string, Json> };
    expect(send.required).toEqual(['title', 'content']);
    expect(send.properties['type']).toMatchObject({ default: 'system' });
    const list = api.paths[path]?.['get']?.parameters ?? [];
    expect(list.map(({ name, required, schema }) => [name, required, schema['type'], schema['default']])).toEqual([
      ['page', false, 'integer', 1],
      ['page_size', false, 'integer', 20],
      ['only_unread', false, 'boolean', false],
      ['type', false, 'string', undefined],
    ]);
    expect(api.paths[path]?.['post']?.parameters).toMatchObject([{ name: 'idempotency-key', in: 'header' }]);
    expect(api.paths[`${path}/{id}/read`]?.['put']?.requestBody).toBeUndefined();
    for (const [key, value] of walk(api)) {
      if (key === 'minimum' || key === 'maximum') expect(Math.abs(value as number)).toBeLessThan(2 ** 40);
    }
  });

  test('has schemas that are JSON Schema of draft 2020-12', () => {
    for (const [key, value] of walk(api)) {
      if (key === 'schema') expect(ajv.validateSchema(value as Json)).toBe(true);
    }
    for (const schema of Object.values(api.components.schemas)) expect(ajv.validateSchema(schema)).toBe(true);
  });
});

describe('the answers of the server are as described', () => {
  const me = person();
  const validatorOf = (method: string, at: string, status: string) => {
    const parts = ['paths', at, method, 'responses', status, 'content', 'application/json', 'schema'];
    return ajv.getSchema(pointer(...parts)) as ValidateFunction;
  };
  const expectAsDescribed = (method: string, at: string, { status, body }: { status: number; body: unknown }) => {
    const validate = validatorOf(method.toLowerCase(), at, status === 200 ? '200' : `${Math.floor(status / 100)}XX`);
    expect([status, validate(body), validate.errors]).toEqual([status, true, null]);
  };
  const call = async (method: string, at: string, options: { id?: string; body?: unknown; token?: string } = {}) => {
    const answer = await app.rest(method, at.replace('{id}', options.id ?? ''), { token: me.token, ...options });
    expectAsDescribed(method, at, answer);
    return answer;
  };

  test('in good times', async () => {
    const full = { title: 'a', content: 'b', type: 'task', link: '/x', data: { a: [1] }, priority: 'high' };
    const validateRequest = ajv.getSchema(pointer('components', 'schemas', 'SendRequest')) as ValidateFunction;
    expect(validateRequest(full)).toBe(true);
    const { body } = await call('POST', path, { body: full });
    await call('POST', path, { body: { title: 'a', content: 'b' } });
    await call('GET', path);
    await call('GET', `${path}/unread-count`);
    await call('GET', `${path}/sent`);
    await call('GET', `${path}/{id}`, { id: body.id });
    await call('PUT', `${path}/{id}/read`, { id: body.id });
    await call('PUT', `${path}/read`, { body: { ids: [body.id] } });
    const { status } = await call('DELETE', `${path}/{id}`, { id: body.id });
    expect(status).toBe(200);
  });

  test('at login', async () => {
    const password = 'correct horse battery staple';
    await asEveryTenant(() =>
      app.app.context.users.add({ tenantId: TENANT, username: 'ann', password, roles: ['sender'] }),
    );
    const { body } = await call('POST', '/api/v1/auth/login', { body: { username: 'ann', password } });
    await call('POST', '/api/v1/auth/refresh', { body: { refresh_token: body.refresh_token } });
  });

  test('in refusals', async () => {
    await call('POST', path, { body: {} });
    await call('GET', path, { token: 'garbage' });
    await call('GET', `${path}/{id}`, { id: 'missing' });
    await call('PUT', `${path}/read`, { body: { ids: [] } });
    await call('POST', '/api/v1/auth/login', { body: { username: 'nobody', password: 'wrong' } });
    await call('POST', '/api/v1/auth/refresh', { body: { refresh_token: 'x' } });
  });

  test('and a description that did not fit would be noticed', () => {
    expect(validatorOf('get', path, '200')({ items: [{}], total: 0, page: 1, page_size: 20 })).toBe(false);
  });
});
