import { EventEmitter } from 'node:events';
import { PubSub } from 'graphql-subscriptions';
import { apart } from '../tracing/spans.ts';
import type { Topics } from './topics.ts';

/** Topics within one process: for a single instance. Nothing is ever lost, so nothing needs restoring. */
export function createInProcessTopics(): Topics {
  // The default emitter warns at eleven listeners of one topic, which is no fault here.
  const eventEmitter = new EventEmitter().setMaxListeners(0);
  const pubsub = new PubSub({ eventEmitter });
  return {
    publish(topic, message) {
      // Those who hear of it are not part of what publishes.
      apart(() => void pubsub.publish(topic, message));
    },
    async subscribe(topic, onMessage) {
      const id = await pubsub.subscribe(topic, onMessage);
      return async () => pubsub.unsubscribe(id);
    },
    onRestored() {},
    async ping() {},
    async [Symbol.asyncDispose]() {
      eventEmitter.removeAllListeners();
    },
  };
}
