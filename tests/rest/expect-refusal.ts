import { expect } from '@jest/globals';

/** What must never leave the server: statements, stacks, places in the sources. */
const INSIDE =
  /\b(select|insert|update|delete) .*\b(from|into|set)\b|\bat .*\.(ts|js):\d|node_modules|\/src\/|postgres|kysely|zod|fastify/i;

/** Checks status, reason, `field` and the shape of a refusal, and that it tells nothing about the inside. */
export function expectRefusal(
  answer: { status: number; headers: Headers; body: unknown },
  [status, reason, field]: readonly [status: number, reason: string, field?: string],
): void {
  expect(answer.body).toEqual({
    code: status,
    reason,
    message: expect.stringMatching(/./),
    metadata: field === undefined ? {} : expect.objectContaining({ field }),
  });
  expect(answer.status).toBe(status);
  expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
  expect(JSON.stringify(answer.body)).not.toMatch(INSIDE);
}
