import { describe, expect, test } from '@jest/globals';
import { CarillonError } from '../../src/errors.ts';
import { reachDatabase } from '../../src/services/database-failure.ts';

const failure = (error: unknown): Promise<unknown> =>
  reachDatabase(Promise.reject(error)).catch((thrown: unknown) => thrown);
const withCode = (code: string, message = 'It failed.') => Object.assign(new Error(message), { code });

describe('a failure that passes is UNAVAILABLE, with a time to wait:', () => {
  test.each([
    ...['08006', '28P01', '3D000', '53300', '57014', '57P01', '57P02', '57P03', '58030', '25006', '40001', '40P01'],
    '0A000',
    ...['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN'],
    ...['ERR_STREAM_DESTROYED', 'ERR_STREAM_WRITE_AFTER_END', 'ERR_SOCKET_CLOSED'],
  ])('the code %s', async (code) => {
    const thrown = await failure(withCode(code));
    expect(thrown).toBeInstanceOf(CarillonError);
    expect(thrown).toMatchObject({ code: 'UNAVAILABLE', retryAfterSeconds: 1 });
  });

  // The words of pg 8 and pg-pool 3.
  test.each([
    'timeout expired',
    'timeout exceeded when trying to connect',
    'Connection terminated',
    'Connection terminated unexpectedly',
    'Connection terminated due to connection timeout',
    'The database did not answer in time.',
    'Client has encountered a connection error and is not queryable',
    'Client was closed and is not queryable',
    'Received unexpected commandComplete message from backend.',
  ])('%s', async (message) => {
    expect(await failure(new Error(message))).toMatchObject({ code: 'UNAVAILABLE' });
  });
});

describe('anything else stays what it is, and is masked by the door:', () => {
  test.each([
    ['a row that breaks a constraint', withCode('23514')],
    ['a fault of the SQL', withCode('42601')],
    ['an internal error of PostgreSQL', withCode('XX000')],
    ['a fault of the program', new TypeError('x is not a function')],
    ['one that Node found', Object.assign(new TypeError('bad'), { code: 'ERR_INVALID_ARG_TYPE' })],
    ['a refusal of our own', new CarillonError('CONFLICT', 'The key is taken.')],
    ['something that is no error', 'text'],
  ])('%s', async (_, error) => {
    expect(await failure(error)).toBe(error);
  });
});
