import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { asEveryTenant, asTenant, currentScope, mustBeInScope, unionOf, within } from '../src/scope.ts';

const ofTenant = (tenantId: string) => asTenant(tenantId, currentScope);
const everything = asEveryTenant(currentScope);

describe('a scope', () => {
  test('is empty where nobody has entered one', () => {
    expect(currentScope()).toEqual({ tenants: [], setting: '{}' });
  });

  test('holds for whatever is begun within it, and for nothing else', async () => {
    const seen: string[] = [];
    const look = async () => {
      await delay(1);
      seen.push(currentScope().setting);
    };
    await Promise.all([asTenant('a', look), asEveryTenant(look), look()]);
    expect(seen.toSorted()).toEqual(['all', '{"a"}', '{}']);
  });

  test('that is entered within another one takes its place', () => {
    expect(asEveryTenant(() => asTenant('a', () => currentScope().setting))).toBe('{"a"}');
    expect(asTenant('a', () => within(ofTenant('b'), () => currentScope().setting))).toBe('{"b"}');
  });

  test.each([
    ['plain', '{"plain"}'],
    ['all', '{"all"}'],
    ['', '{""}'],
    ['a,b', '{"a,b"}'],
    ['{}', '{"{}"}'],
    ['"', String.raw`{"\""}`],
    ['\\', String.raw`{"\\"}`],
    [String.raw`\"`, String.raw`{"\\\""}`],
    ['$&', '{"$&"}'],
  ])('of the tenant %j is written as PostgreSQL reads it', (tenantId, setting) => {
    expect(ofTenant(tenantId).setting).toBe(setting);
  });
});

describe('what several may see together', () => {
  test('is what any of them may see, each tenant once', () => {
    const [a, b] = [ofTenant('a'), ofTenant('b')];
    expect(unionOf([a, b, a]).tenants).toEqual(['a', 'b']);
    expect(unionOf([a, a])).toEqual(a);
    expect(unionOf([a, currentScope()]).tenants).toEqual(['a']);
    expect(unionOf([a, everything, b])).toEqual(everything);
  });

  test('is nothing for nobody', () => {
    expect(unionOf([]).setting).toBe('{}');
    expect(unionOf([currentScope(), currentScope()]).setting).toBe('{}');
  });
});

test('whoever asks for another tenant than that of the scope is found out', () => {
  expect(() => asTenant('a', () => mustBeInScope('b'))).toThrow('another tenant');
  expect(() => mustBeInScope('a')).toThrow('another tenant');
  asTenant('a', () => mustBeInScope('a'));
  asEveryTenant(() => mustBeInScope('a'));
});
