import { type KeyObject, createSecretKey } from 'node:crypto';
import jwt from 'jsonwebtoken';
import { Device } from './device.ts';
import type { Job, Users } from './jobs.ts';
import { requestText } from './lane.ts';

const TOKEN_SECONDS = 3600;

/** Connections that are being opened at a time: more only wait for each other. */
const AT_ONCE = 32;

const keys = new Map<string, KeyObject>();

export function tokenOf({ secret, tenantId }: Job, userId: string): string {
  const key = keys.get(secret) ?? createSecretKey(Buffer.from(secret));
  keys.set(secret, key);
  return jwt.sign({ tenant_id: tenantId, user_id: userId }, key, { algorithm: 'HS256', expiresIn: TOKEN_SECONDS });
}

export const namesOf = ({ prefix, count }: Users): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`);

/** A query or a mutation as one user asks it. */
export const graphqlRequest = (job: Job, user: string, query: string, variables?: unknown): string =>
  requestText('/graphql', { url: job.url, token: tokenOf(job, user), body: { query, variables } });

/** Connects a device for each of the user ids, in this order; resolves when all have subscribed. */
export async function connectDevices(
  job: Job,
  userIds: readonly string[],
  onNotification: (index: number, frame: Buffer) => void,
): Promise<Device[]> {
  const devices: Device[] = [];
  const tokens = userIds.map((user) => tokenOf(job, user));
  const queue = tokens.entries();
  async function work(): Promise<void> {
    for (const [index, token] of queue) {
      devices[index] = await Device.connect({ url: job.url, token, from: job.from }, (frame) =>
        onNotification(index, frame),
      );
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return devices;
}
