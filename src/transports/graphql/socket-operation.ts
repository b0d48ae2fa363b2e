import type { ExecutionResult } from 'graphql';
import type { EventSink } from '../../services/event-source.ts';
import { textFrame } from '../peer-socket.ts';
import type { GraphQLSocket } from './graphql-socket.ts';
import { type Operations, type Prepared, type Subscription, resultText } from './operations.ts';

/** The last frame that was made: an event that goes to many sockets under the same id is one frame. */
const last = { id: '', json: '', frame: Buffer.alloc(0) as Buffer };

function nextFrame(id: string, json: string): Buffer {
  if (json !== last.json || id !== last.id) {
    last.frame = textFrame(`{"id":${JSON.stringify(id)},"type":"next","payload":${json}}`);
    last.id = id;
    last.json = json;
  }
  return last.frame;
}

/** A refusal of the request as such, of its variables for instance: nothing was executed. */
const isRefusal = (result: ExecutionResult): boolean => result.errors !== undefined && !('data' in result);

/** One operation of one socket; of a subscription also the sink of its events. */
export class SocketOperation implements EventSink<object> {
  readonly id: string;
  /** Whether it ends by itself. */
  readonly isFinite: boolean;
  readonly #socket: GraphQLSocket;
  /** What is to run, and then what runs. */
  #work: Prepared | Subscription | undefined;
  #isStopped = false;

  constructor(socket: GraphQLSocket, id: string, prepared: Prepared) {
    this.#socket = socket;
    this.id = id;
    this.isFinite = prepared.plan.operation.operation !== 'subscription';
    this.#work = prepared;
  }

  /** Begins; never rejects. Tells the socket when the operation is over. */
  async run(operations: Operations): Promise<void> {
    const prepared = this.#work as Prepared;
    if (this.isFinite) {
      const result = await operations.run(prepared);
      if (isRefusal(result)) this.#refuse(result.errors ?? []);
      else {
        const text = resultText(result);
        operations.charge(prepared.contextValue.caller, text.length);
        this.#write(text);
        this.#complete();
      }
      return;
    }
    const begun = await operations.subscribe(prepared);
    if ('errors' in begun) {
      this.#refuse(begun.errors);
    } else if (this.#isStopped) {
      void begun.source.return();
      this.#socket.over(this);
    } else {
      this.#work = begun;
      begun.source.pipe(this);
    }
  }

  /** The client wants no more of it, or has gone. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    if (!this.#work || !('source' in this.#work)) return;
    void this.#work.source.return();
    this.#work = undefined;
    this.#socket.over(this);
  }

  take(event: object): boolean {
    const rendered = (this.#work as Subscription).projection.render(event, this.#socket.tenantId);
    if (typeof rendered === 'string') return this.#deliver(event, rendered);
    void rendered.then((json) => {
      if (!this.#isStopped && this.#deliver(event, json)) this.#more();
    });
    return false;
  }

  ended(error: Error | undefined): void {
    if (this.#isStopped || error === undefined) return;
    this.#isStopped = true;
    const { projection } = this.#work as Subscription;
    this.#work = undefined;
    this.#socket.writeFrame(nextFrame(this.id, projection.renderFailure(error)));
    this.#complete(true);
  }

  #deliver(event: object, json: string): boolean {
    const socket = this.#socket;
    if (socket.push(event, nextFrame(this.id, json), socket.meter)) return true;
    this.#socket.afterDrain(() => this.#more());
    return false;
  }

  #more(): void {
    if (this.#work && 'source' in this.#work) this.#work.source.pipe(this);
  }

  #write(json: string): void {
    if (!this.#isStopped) this.#socket.writeFrame(nextFrame(this.id, json));
  }

  #complete(always = false): void {
    if (always || !this.#isStopped) this.#socket.writeText(JSON.stringify({ id: this.id, type: 'complete' }));
    this.#socket.over(this);
  }

  #refuse(errors: NonNullable<ExecutionResult['errors']>): void {
    if (!this.#isStopped) this.#socket.refuse(this.id, errors);
    this.#socket.over(this);
  }
}
