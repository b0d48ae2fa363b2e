/** Ends a subscription. Resolves when no further message will be handed over. */
export type Unsubscribe = () => Promise<void>;

/**
 * Named topics between the parts of one instance, or between instances. A doorbell and nothing more: messages may be
 * lost, come twice or out of order, and whoever listens must be able to do without them.
 */
export interface Topics extends AsyncDisposable {
  /**
   * Hands a JSON value to every subscriber of the topic. Never waits for an outage to end and never throws: a message
   * that cannot be sent now is dropped, at least for other instances, and the failure is logged.
   */
  publish(topic: string, message: unknown): void;
  /**
   * Resolves once every message published from now on will be handed over; during an outage at once, and `onRestored`
   * tells when that holds. `onMessage` gets the parsed JSON value, of whatever shape; it must not throw.
   */
  subscribe(topic: string, onMessage: (message: unknown) => void): Promise<Unsubscribe>;
  /** Called each time after messages of any instance may have been lost and subscriptions stand again. */
  onRestored(callback: () => void): void;
  /** Resolves when the broker answers; rejects when it does not within a second or two. */
  ping(): Promise<void>;
}
