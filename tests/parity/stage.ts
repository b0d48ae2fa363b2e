import { Agent } from 'node:http';
import { connectGraphQL, connectLegacy } from '../sockets/connect.ts';
import { type Person, type TestApp, signToken, startApp } from '../support/app.ts';
import { withClient } from '../support/postgres.ts';
import type { SocketClient } from '../support/socket-client.ts';
import { publicKeys } from './inputs/keys.ts';

/** Database connections; few, so that they are all there before anything is counted. */
const POOL = 4;

export const personOf = (id: string, tenantId = 'acme', claims: Record<string, unknown> = {}): Person => ({
  id,
  tenantId,
  token: signToken({ user_id: id, tenant_id: tenantId, ...claims }),
});

/** Who is attacked. Nobody knows of her inbox but she. */
export const vera = personOf('vera');
/** Who attacks, with a good token and no roles. */
export const mallory = personOf('mallory');

const ENOUGH = '1000000/10s';

/** The server, what vera has, and the connections of those who attack. */
export class Stage implements AsyncDisposable {
  readonly app: TestApp;
  readonly agent = new Agent({ keepAlive: true, maxSockets: POOL });
  /** Of a notification that is vera's, and was sent by her. */
  veraId = '';
  veraCursor = '';
  veraScheduledId = '';
  /** Of an address of hers. */
  veraContactId = '';
  /** Of one that is mallory's own. */
  malloryId = '';
  readonly #graphql = new Map<string, Promise<SocketClient>>();
  readonly #legacy = new Map<string, Promise<SocketClient>>();

  private constructor(app: TestApp) {
    this.app = app;
  }

  static async open(): Promise<Stage> {
    const app = await startApp({
      env: {
        LOG_LEVEL: 'info',
        PG_POOL_MAX: String(POOL),
        JWT_PUBLIC_KEY: publicKeys,
        NODE_ENV: 'production',
        SEND_POLICY: 'privileged',
        // All of this comes from few users at one address, and is to meet what is behind the limits.
        RATE_LIMIT_USER: ENOUGH,
        RATE_LIMIT_ADDRESS: ENOUGH,
        MAX_BODY_VALUES: '250000',
        MAX_QUERY_TOKENS: '5000',
      },
    });
    const stage = new Stage(app);
    const send = async (who: Person, input: object): Promise<{ id: string; cursor: string }> => {
      const query = 'mutation ($input: SendInput!) { send(input: $input) { id cursor } }';
      const { data } = await app.graphql(query, {
        token: who.token,
        variables: { input: { title: 'Private', content: 'Of nobody else', ...input } },
      });
      return data.send;
    };
    ({ id: stage.veraId, cursor: stage.veraCursor } = await send(vera, {}));
    await send(vera, {});
    ({ id: stage.veraScheduledId } = await send(vera, { sendAt: new Date(Date.now() + 86_400_000).toISOString() }));
    stage.veraContactId = await addAddress(app.databaseUrl);
    ({ id: stage.malloryId } = await send(mallory, {}));
    return stage;
  }

  /** A graphql-transport-ws socket of a person, the same each time. */
  graphqlSocket(who: Person): Promise<SocketClient> {
    return kept(this.#graphql, who, () => connectGraphQL(this.app, who));
  }

  /** A legacy socket of a person, the same each time. */
  legacySocket(who: Person): Promise<SocketClient> {
    return kept(this.#legacy, who, () => connectLegacy(this.app, who));
  }

  /** Ends the connections of all who attack. */
  async disconnect(): Promise<void> {
    for (const sockets of [this.#graphql, this.#legacy]) {
      for (const socket of sockets.values()) await (await socket)[Symbol.asyncDispose]();
      sockets.clear();
    }
    this.agent.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.disconnect();
    await this.app[Symbol.asyncDispose]();
  }
}

/** An address of vera's, as a service with mail configured would have stored it. */
const addAddress = (url: string): Promise<string> =>
  withClient(url, async (client) => {
    const { rows } = await client.query<{ id: string }>(
      `INSERT INTO contact (id, tenant_id, user_id, channel, address, created_at)
       VALUES (gen_random_uuid(), 'acme', 'vera', 'EMAIL', 'vera@example.com', now()) RETURNING id`,
    );
    return rows[0]?.id ?? '';
  });

async function kept(
  sockets: Map<string, Promise<SocketClient>>,
  who: Person,
  connect: () => Promise<SocketClient>,
): Promise<SocketClient> {
  const known = sockets.get(who.token) ?? connect();
  sockets.set(who.token, known);
  return known;
}
